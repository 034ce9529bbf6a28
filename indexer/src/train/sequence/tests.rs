//! Both passes against candle, and a training that learns an order.

use candle_core::{D, DType, Device, Tensor, Var};
use rand::{Rng, SeedableRng, rngs::SmallRng};
use vitrine::cf::{Gru, GruWeights, Recommender, SequenceModel};

use super::{
    backprop::Layer,
    softmax::{Gradients, Negatives, Network, Shared},
    *,
};

const DIM: usize = 6;
const ITEMS: usize = 9;

fn network(seed: u64) -> Network {
    let mut random = SmallRng::seed_from_u64(seed);
    let mut network = Network {
        vectors: vec![0.0; ITEMS * DIM],
        layer: Layer::zeros(DIM),
    };
    let mut fill = |part: &mut Vec<f32>| part.fill_with(|| random.random_range(-1.0..1.0));
    fill(&mut network.vectors);
    network.layer.parts_mut().into_iter().for_each(&mut fill);
    network
}

/// The parameters as candle variables: vectors, input, input bias, recurrent, recurrent bias.
fn variables(network: &Network) -> Vec<Var> {
    let mut network = network.clone();
    let vectors = network.vectors.clone();
    let parts = network.layer.parts_mut().map(|part| part.clone());
    let shapes = [
        vec![DIM, 3 * DIM],
        vec![3 * DIM],
        vec![DIM, 3 * DIM],
        vec![3 * DIM],
    ];
    let all = parts.into_iter().zip(shapes);
    std::iter::once((vectors, vec![ITEMS, DIM]))
        .chain(all)
        .map(|(values, shape)| {
            let tensor = Tensor::from_vec(values, shape, &Device::Cpu).expect("a tensor");
            Var::from_tensor(&tensor).expect("a variable")
        })
        .collect()
}

/// The states after each item, by candle: steps x DIM.
fn states(variables: &[Var], items: &[u32]) -> candle_core::Result<Tensor> {
    let mut state = Tensor::zeros((1, DIM), DType::F32, &Device::Cpu)?;
    let mut states = Vec::new();
    for item in items {
        let input = variables[0].narrow(0, *item as usize, 1)?;
        let a = input
            .matmul(&variables[1])?
            .broadcast_add(variables[2].as_tensor())?;
        let b = state
            .matmul(&variables[3])?
            .broadcast_add(variables[4].as_tensor())?;
        let part = |x: &Tensor, n: usize| x.narrow(1, n * DIM, DIM);
        let reset = candle_nn::ops::sigmoid(&(part(&a, 0)? + part(&b, 0)?)?)?;
        let update = candle_nn::ops::sigmoid(&(part(&a, 1)? + part(&b, 1)?)?)?;
        let candidate = (part(&a, 2)? + (reset * part(&b, 2)?)?)?.tanh()?;
        state = ((&candidate - (&update * &candidate)?)? + (update * state)?)?;
        states.push(state.clone());
    }
    Tensor::cat(&states, 0)
}

fn close(ours: &[f32], candle: &Tensor) {
    let candle: Vec<f32> = candle.flatten_all().expect("flat").to_vec1().expect("f32");
    assert_eq!(ours.len(), candle.len());
    for (a, b) in ours.iter().zip(&candle) {
        assert!((a - b).abs() < 1e-5, "{a} is not {b}");
    }
}

#[test]
fn the_served_network_gives_the_states_of_candle() {
    for seed in 0..5 {
        let network = network(seed);
        let layer = network.layer.clone();
        let gru = Gru::new(GruWeights {
            dim: DIM,
            vectors: network.vectors.clone(),
            input: layer.input,
            input_bias: layer.input_bias,
            recurrent: layer.recurrent,
            recurrent_bias: layer.recurrent_bias,
        });
        let model = SequenceModel::Gru(gru.expect("consistent"));
        let items: Vec<u32> = (0..50)
            .map(|n| (n * 7 + seed as u32) % ITEMS as u32)
            .collect();
        let history: Vec<_> = items.iter().map(|item| (*item, 1.0)).collect();
        let expected = states(&variables(&network), &items).expect("states");
        close(
            &model.state(&history),
            &expected.narrow(0, 49, 1).expect("the last"),
        );
    }
}

#[test]
fn loss_and_gradients_are_those_of_candle() {
    let network = network(7);
    let negatives = Negatives {
        items: vec![1, 5, 8, 5],
        log_counts: vec![-0.5, 0.3, 0.0, 0.3],
    };
    let sequence: &[u32] = &[2, 5, 0, 2, 8];
    let shared = Shared::new(&network, &negatives, 0.0, 4);
    let mut ours = Gradients::of(&shared, &[sequence], 1);

    let candle = || -> candle_core::Result<_> {
        let variables = variables(&network);
        let states = states(&variables, &sequence[..4])?;
        let vectors =
            |items: &[u32]| variables[0].index_select(&Tensor::new(items, &Device::Cpu)?, 0);
        let chosen = (&states * vectors(&sequence[1..])?)?.sum_keepdim(D::Minus1)?;
        let mut shift = vec![0.0_f32; 16];
        for (n, shift) in shift.iter_mut().enumerate() {
            let is_chosen = negatives.items[n % 4] == sequence[n / 4 + 1];
            *shift = if is_chosen {
                -1e9
            } else {
                -negatives.log_counts[n % 4]
            };
        }
        let others = states.matmul(&vectors(&negatives.items)?.t()?)?;
        let others = (others + Tensor::from_vec(shift, (4, 4), &Device::Cpu)?)?;
        let all = Tensor::cat(&[&chosen, &others], 1)?;
        let loss = (all.log_sum_exp(D::Minus1)? - chosen.squeeze(1)?)?.mean_all()?;
        let gradients = loss.backward()?;
        Ok((loss.to_scalar::<f32>()?, gradients, variables))
    };
    let (loss, gradients, variables) = candle().expect("a backward pass");
    assert!((ours.loss / 4.0 - f64::from(loss)).abs() < 1e-5);
    let mut vectors = vec![0.0; ITEMS * DIM];
    let mut add = |item: u32, row: &[f32]| {
        let vector = &mut vectors[item as usize * DIM..][..DIM];
        vector.iter_mut().zip(row).for_each(|(sum, x)| *sum += x);
    };
    ours.items.iter().for_each(|(item, row)| add(*item, row));
    for (item, row) in negatives.items.iter().zip(ours.negatives.chunks(DIM)) {
        add(*item, row);
    }
    close(&vectors, gradients.get(&variables[0]).expect("a gradient"));
    for (part, variable) in ours.layer.parts_mut().into_iter().zip(&variables[1..]) {
        close(part, gradients.get(variable).expect("a gradient"));
    }
}

/// Sequences through a ring of items: each is followed by the next one.
fn ring() -> Vec<Vec<u32>> {
    let sequence = |start: u32| (0..6).map(|n| (start + n) % 30).collect();
    (0..300).map(sequence).collect()
}

fn recipe() -> SequenceRecipe {
    SequenceRecipe {
        dim: 16,
        rate: 0.01,
        batch: 16,
        uniform: 16,
        in_batch: 16,
        epochs: 20,
        ..Default::default()
    }
}

#[test]
fn the_next_item_of_a_ring_is_learned() {
    let (recipe, sequences) = (recipe(), ring());
    let trainer = SequenceTrainer {
        recipe: &recipe,
        items: 30,
        sequences: &sequences,
    };
    let trained = trainer.run(&mut |_| ()).expect("trained");
    let best = trained.curve[trained.best - 1].ndcg.expect("held out");
    assert!(best > 0.95, "{:?}", trained.curve);
    assert!(trained.curve[0].loss > trained.curve[trained.best - 1].loss);
    let mut scores = Vec::new();
    trained
        .model
        .scores(&[(4, 1.0), (5, 1.0), (6, 1.0)], &mut scores);
    assert_eq!(scores[7], 1.0);
    // The same data and seed give the same network.
    let again = trainer.run(&mut |_| ()).expect("trained");
    assert_eq!(again.model, trained.model);
}

#[test]
fn too_little_data_and_bad_recipes_are_errors() {
    let sequences = ring()[..20].to_vec();
    let run = |recipe: SequenceRecipe| {
        let trainer = SequenceTrainer {
            recipe: &recipe,
            items: 30,
            sequences: &sequences,
        };
        trainer
            .run(&mut |_| ())
            .err()
            .expect("an error")
            .to_string()
    };
    assert!(run(recipe()).contains("at least 20"));
    let bad = SequenceRecipe {
        dropout: 1.0,
        ..recipe()
    };
    assert!(run(bad).contains("dropout"));
}

#[test]
fn ranks_leave_out_the_history() {
    let question = Question::new(&[0, 3], 2);
    assert_eq!(question.rank(&[9.0, 5.0, 4.0, 8.0, 4.0]), Some(1));
    assert_eq!(question.rank(&[9.0, 5.0, 0.0, 8.0, 4.0]), None);
    assert_eq!(
        question.rank(&[0.0, 4.0, 4.0]),
        Some(1),
        "lower numbers first"
    );
    assert_eq!(gain(Some(0), 10), 1.0);
    assert_eq!((gain(Some(10), 10), gain(None, 10)), (0.0, 0.0));
}
