//! Heads: training, promotion, use, and folders of models.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Output,
};

use serde_json::{Value, json};

use crate::{indexer, models_are_there, run, text};

/// Draws tiles in plain colors with stripes, each with a title that describes it.
fn tiles(folder: &Path, n: usize) {
    const COLORS: [(&str, [u8; 3]); 6] = [
        ("red", [220, 20, 20]),
        ("green", [20, 160, 40]),
        ("blue", [30, 50, 210]),
        ("yellow", [240, 220, 30]),
        ("black", [10, 10, 10]),
        ("white", [245, 245, 245]),
    ];
    let mut catalog = String::new();
    for i in 0..n {
        let (name, color) = COLORS[i % 6];
        let (other, second) = COLORS[(i / 6) % 6];
        let width = 4 + (i / 36) as u32 * 3;
        let image = image::RgbImage::from_fn(64, 64, |x, _| {
            image::Rgb(if (x / width).is_multiple_of(2) {
                color
            } else {
                second
            })
        });
        image.save(folder.join(format!("{i}.png"))).unwrap();
        let item = serde_json::json!({
            "id": i.to_string(), "title": format!("{name} tile with {other} stripes"), "category": format!("Tiles > {name}"),
            "images": [{"path": format!("{i}.png")}],
        });
        catalog += &format!("{item}\n");
    }
    fs::write(folder.join("tiles.jsonl"), catalog).unwrap();
}

fn json(output: &Output) -> Value {
    assert!(output.status.success(), "{}", text(&output.stderr));
    serde_json::from_slice(&output.stdout).expect("JSON")
}

/// Folder with links to the models and heads of its own.
#[cfg(unix)]
fn own_models(dir: &Path) -> PathBuf {
    let models = dir.join("models");
    fs::create_dir(&models).unwrap();
    for model in ["all-minilm-l6-v2", "efficientnet-lite0"] {
        let from = vitrine_indexer::models::default_dir().join(model);
        std::os::unix::fs::symlink(from, models.join(model)).unwrap();
    }
    models
}

#[cfg(unix)]
#[test]
fn heads_are_trained_promoted_used_and_left() {
    if !models_are_there() {
        eprintln!("skipped: no models");
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let dir = folder.path();
    let models = own_models(dir);
    tiles(dir, 144);
    let fingerprint = || {
        let embedded = json(&run(
            dir,
            "embed --text tile --space shared --models-dir models",
        ));
        embedded["fingerprint"].as_str().unwrap().to_owned()
    };
    let before = fingerprint();
    let train = "train head --source tiles.jsonl --models-dir models --hold-out 0.3 --epochs 15";
    let answer = json(&run(dir, train));
    let report = &answer["report"];
    assert_eq!(
        (&answer["in_use"], &report["heads"]),
        (&false.into(), &"1".into())
    );
    assert_eq!(report["items"]["pairs"], 144);
    assert_eq!(
        report["decision"]["promoted"], true,
        "{}",
        report["decision"]
    );
    assert!(
        fs::read_to_string(models.join("heads/1/report.html"))
            .unwrap()
            .contains("<svg")
    );
    assert_eq!(fingerprint(), before, "not in use yet");

    assert!(run(dir, "heads use 1 --models-dir models").status.success());
    assert_ne!(fingerprint(), before);
    let again = run(dir, &format!("{train} --name 1"));
    assert!(text(&again.stderr).contains("choose another --name"));
    // The same training again does not improve on itself, so its heads stay inactive.
    let second = json(&run(dir, &format!("{train} --activate")));
    assert_eq!(
        (&second["in_use"], &second["report"]["heads"]),
        (&false.into(), &"2".into())
    );
    let refused = run(dir, "heads use 2 --models-dir models");
    assert!(
        text(&refused.stderr).contains("not promoted"),
        "{}",
        text(&refused.stderr)
    );
    assert!(run(dir, "heads clear --models-dir models").status.success());
    assert_eq!(fingerprint(), before);

    let ranked = run(
        dir,
        "domains --source tiles.jsonl --models-dir models --target Tiles",
    );
    assert!(
        text(&ranked.stderr).contains("beside `Tiles`, got 0"),
        "{}",
        text(&ranked.stderr)
    );
    let ranked = json(&indexer(
        dir,
        &[
            "domains",
            "--source",
            "tiles.jsonl",
            "--models-dir",
            "models",
            "--target",
            "Tiles > red",
        ],
    ));
    assert_eq!(ranked["sources"].as_array().unwrap().len(), 5);
}

#[test]
fn a_folder_is_inspected_chosen_and_left() {
    let folder = tempfile::tempdir().unwrap();
    let dir = folder.path();
    fs::create_dir(dir.join("models")).unwrap();
    let tests = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden/folders");
    let with = |command: &str, model: &str, rest: &[&str]| {
        let model = tests.join(model);
        let line = [
            "models",
            command,
            model.to_str().unwrap(),
            "--models-dir",
            "models",
        ];
        indexer(dir, &[&line[..], rest].concat())
    };
    let description = json(&with("inspect", "bert-cls", &[]));
    assert_eq!(
        (&description["architecture"], &description["pooling"]),
        (&"BERT".into(), &"cls".into())
    );
    assert_eq!(
        description["prefixes"]["query"],
        "Represent this sentence: "
    );

    let used = json(&with("use", "bert-mean", &["--query-prefix", "find: "]));
    assert_eq!(used["prefixes"]["query"], "find: ");
    let refused = with("use", "resnet", &["--query-prefix", "find: "]);
    assert_eq!(refused.status.code(), Some(1), "{refused:?}");
    assert!(
        text(&refused.stderr).contains("does not support prefixes"),
        "{refused:?}"
    );
    let used = json(&with("use", "siglip", &[]));
    assert!(
        used["joint"].as_str().unwrap().ends_with("siglip"),
        "{used}"
    );
    let embedded = json(&run(dir, "embed --text shoe --models-dir models"));
    assert_eq!(embedded["vectors"]["shared"].as_array().unwrap().len(), 32);
    let nothing = with("use", "nonesuch", &[]);
    assert_eq!(nothing.status.code(), Some(1), "{nothing:?}");

    assert!(
        run(dir, "models default --models-dir models")
            .status
            .success()
    );
    let embed = run(dir, "embed --text shoe --models-dir models");
    assert!(text(&embed.stderr).contains("models get"), "{embed:?}");
}

#[cfg(unix)]
#[test]
fn heads_are_trained_on_co_purchases() {
    if !models_are_there() {
        eprintln!("skipped: no models");
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let dir = folder.path();
    let models = own_models(dir);
    // Users of one sport buy items of both categories, whose names do not mention the sport.
    let sports = [
        ["carbon road frame", "padded bib shorts"],
        ["nylon belay rope", "chalk smeared trousers"],
        ["waxed touring plank", "quilted bobble hat"],
        ["inflatable stand board", "neoprene overall"],
    ];
    let (mut items, mut events) = (String::new(), String::new());
    for (sport, names) in sports.iter().enumerate() {
        for (kind, name) in names.iter().enumerate() {
            for n in 0..6 {
                let category = ["Gear", "Wear"][kind];
                let id = format!("{kind}-{sport}-{n}");
                let item = json!({"id": id, "title": format!("{name} {n}"), "category": category});
                items += &format!("{item}\n");
            }
        }
    }
    for user in 0..240 {
        let (sport, n) = (user % 4, user / 4);
        let chosen = [0, 1].map(|kind| format!("{kind}-{sport}-{}", (n + kind) % 6));
        let event = json!({"kind": "purchase", "user": format!("u{user}"), "items": chosen,
            "ts": "2026-05-01T10:00:00Z"});
        events += &format!("{event}\n");
    }
    fs::write(dir.join("items.jsonl"), items).unwrap();
    fs::write(dir.join("events.jsonl"), events).unwrap();

    let index = "index --source items.jsonl --data d --collection shop --models-dir models --embedding-cache 0";
    assert!(run(dir, index).status.success());
    let none = run(
        dir,
        "train head --data d --collection shop --co-purchases --models-dir models",
    );
    assert!(
        text(&none.stderr)
            .contains("users who chose items of different categories of this catalog, got 0"),
        "{}",
        text(&none.stderr)
    );
    let nowhere = run(
        dir,
        "train head --source items.jsonl --models-dir models --co-purchases",
    );
    assert!(
        text(&nowhere.stderr).contains("name an event file"),
        "{}",
        text(&nowhere.stderr)
    );

    let train = "train head --models-dir models --hold-out 0.3 --epochs 10 --within-days 1";
    let answer = json(&run(
        dir,
        &format!("{train} --source items.jsonl --co-purchases events.jsonl"),
    ));
    let decision = &answer["report"]["decision"];
    assert_eq!(decision["promoted"], true, "{decision}");
    assert!(decision["people"].as_u64().unwrap() > 30);
    assert!(
        decision["co_purchases"].as_f64().unwrap() > 0.4,
        "{decision}"
    );
    let report = fs::read_to_string(models.join("heads/1/report.html")).unwrap();
    assert!(report.contains("co-purchases: NDCG@10"));

    let import = "events import --source events.jsonl --data d --collection shop";
    assert!(run(dir, import).status.success());
    let stored = json(&run(
        dir,
        &format!("{train} --data d --collection shop --co-purchases"),
    ));
    assert_eq!(
        stored["report"]["split"], answer["report"]["split"],
        "events of the collection are the same"
    );
    assert!(run(dir, "heads use 1 --models-dir models").status.success());
    let again = json(&run(dir, &index.replace("data d", "data e")));
    assert_eq!(again["created"], 48);
}
