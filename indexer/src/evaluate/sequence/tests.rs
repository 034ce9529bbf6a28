//! Reading of sequences, held-out items, and a study whose figures are known.

use std::io::Write;

use super::{data::SequenceData, study::NextItemStudy};
use crate::{evaluate::HoldOut, train::sequence::SequenceRecipe};

fn study(hold_out: HoldOut) -> NextItemStudy {
    NextItemStudy {
        hold_out,
        recipe: None,
        resamples: 100,
        seed: 1,
    }
}

#[test]
fn files_are_read_plain_or_gzip_with_odd_lines() {
    let text = "\u{feff}u1 a b c\r\n\r\nu2\ta,b\n  \nlonely\nu3 c\nu1 d\n";
    let dir = tempfile::tempdir().expect("a folder");
    let plain = dir.path().join("plain.txt");
    std::fs::write(&plain, text).expect("written");
    let packed = dir.path().join("packed.bin");
    let file = std::fs::File::create(&packed).expect("created");
    let mut gzip = flate2::write::GzEncoder::new(file, flate2::Compression::fast());
    gzip.write_all(text.as_bytes()).expect("written");
    gzip.finish().expect("written");
    for path in [plain, packed] {
        let data = SequenceData::read(&path).expect("read");
        assert_eq!((data.users, data.items, data.refused), (3, 4, 1));
        let sequences = data.by_user(&data.interactions);
        assert_eq!(sequences, [vec![0, 1, 2, 3], vec![0, 1], vec![2]]);
    }
    assert!(SequenceData::read(&dir.path().join("none")).is_err());
}

#[test]
fn the_last_item_is_held_out_if_it_is_new() {
    let data = SequenceData::parse("test", "u1 a b c\nu2 a b a\nu3 c\n");
    let held_out = data.hold_out(HoldOut::Last(1)).expect("split");
    assert_eq!(held_out.questions.len(), 1);
    assert_eq!(held_out.questions[0].history, [(0, 1.0), (1, 1.0)]);
    assert_eq!(held_out.questions[0].chosen, 2);
    assert_eq!((held_out.without_new, held_out.without_history), (1, 0));
    assert_eq!(
        held_out.train.len(),
        5,
        "a user with one item is learned from"
    );
    assert!(data.hold_out(HoldOut::Random(0.2)).is_err());
    let single = SequenceData::parse("test", "u1 a\n");
    assert!(single.hold_out(HoldOut::Last(1)).is_err());
}

#[test]
fn rules_find_the_next_item_of_a_ring_and_popularity_does_not() {
    let line = |start: usize| {
        let items = (0..5).map(|n| format!("i{}", (start + n) % 40));
        format!("u{start} {}", items.collect::<Vec<_>>().join(" "))
    };
    let lines: Vec<_> = (0..200).map(line).collect();
    let data = SequenceData::parse("ring", &lines.join("\n"));
    let report = study(HoldOut::Last(1))
        .run(&data, &mut |_| ())
        .expect("a report");
    let names: Vec<_> = report.models.iter().map(|m| m.model.as_str()).collect();
    assert_eq!(names.len(), 5);
    let of = |name: &str| report.models.iter().find(|m| m.model == name).expect(name);
    assert_eq!(of("sequential-rules").ndcg_at_10, 1.0);
    assert!(of("popularity").recall_at_10 < 0.9);
    assert!(report.gains.is_empty() && report.text().contains("sequential-rules"));

    let with = NextItemStudy {
        recipe: Some(SequenceRecipe {
            dim: 8,
            batch: 16,
            epochs: 2,
            ..Default::default()
        }),
        ..study(HoldOut::Last(1))
    };
    let report = with.run(&data, &mut |_| ()).expect("a report");
    assert_eq!((report.models.len(), report.gains.len()), (7, 3));
    assert!(report.text().contains("blend with gru - without, ndcg@10"));
}
