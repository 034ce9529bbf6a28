//! Products as training examples.

use std::error::Error;
use std::path::Path;

use vitrine_indexer::encode::image::efficientnet_lite::FEATURES;
use vitrine_indexer::source::{self, Mapping, image::Images};
use vitrine_indexer::space::{Encoders, HeadsChoice, Precision};
use vitrine_indexer::train::{Example, Gather, shuffled};

/// All examples, in an order that depends only on their ids.
pub struct Data {
    pub examples: Vec<Example>,
    pub encoders: String,
}

pub fn load(
    folder: &Path,
    mapping: &Path,
    models: &Path,
    features: &Path,
    item_text: bool,
) -> Result<Data, Box<dyn Error>> {
    let mapping = Mapping::load(mapping)?;
    let (mut items, mut categories) = (Vec::new(), Vec::new());
    for record in source::open(&folder.join("styles.csv"), None, &mapping)? {
        let Ok(mut item) = record?.item else { continue };
        categories.push((item.id.clone(), item.category.clone().unwrap_or_default()));
        if !item_text {
            item.category = None;
        }
        items.push(item);
    }
    let encoders = Encoders::load_with(models, Precision::F32, HeadsChoice::None)?;
    let gather = Gather {
        encoders: &encoders,
        images: Images::new(folder.to_owned(), false),
        cache: features.to_owned(),
        label: Some("article_type".to_owned()),
    };
    let (mut examples, _) = gather.run(&items, &mut |done| {
        if done % 1024 == 0 {
            eprintln!("features {done}");
        }
    })?;
    let categories: std::collections::HashMap<_, _> = categories.into_iter().collect();
    for example in &mut examples {
        example.category.clone_from(&categories[&example.id]);
    }
    Ok(Data {
        examples: shuffled(examples, 20),
        encoders: encoders.base_fingerprint().to_owned(),
    })
}

/// Returns the examples with the inputs of a plain head: the network's last features and the
/// sentence vector.
pub fn plain(examples: &[Example]) -> Vec<Example> {
    let narrow = |e: &Example| Example {
        text: e.untrained[0].clone(),
        image: network(e).to_vec(),
        ..e.clone()
    };
    examples.iter().map(narrow).collect()
}

/// Returns the network's pooled features of an image.
pub fn network(example: &Example) -> &[f32] {
    &example.image[example.image.len() - FEATURES..]
}
