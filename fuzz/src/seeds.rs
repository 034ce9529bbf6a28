//! Inputs in binary formats, made by the code itself: `VITRINE_FUZZ_SEEDS=fuzz/corpus` makes the
//! program of `make fuzz` write them, after a change of a format. The other inputs of the corpus
//! are written by hand.

use std::{
    fs, io,
    path::{Path, PathBuf},
    sync::Arc,
};

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use parquet::{
    data_type::{ByteArray, ByteArrayType, DoubleType},
    file::{properties::WriterProperties, writer::SerializedFileWriter},
    schema::parser::parse_message_type,
};
use vitrine::{
    Database,
    cf::{Gru, GruWeights, Matrix, Model, ModelSettings, SequenceModel},
    collection::check_state,
};

use crate::{catalogs, cursors, log, segments, shop};

/// Settings of one model of each kind.
const MODELS: [&str; 7] = [
    "popularity",
    "item-knn",
    "graph-filter:rank=2",
    "ease",
    "ials:factors=2,iterations=1",
    "session-knn",
    "sequential-rules",
];

/// An input of a target.
pub struct Seed {
    /// Name of the target.
    pub target: &'static str,
    /// Name of the file.
    pub name: String,
    /// Content.
    pub bytes: Vec<u8>,
}

fn seed(target: &'static str, name: impl Into<String>, bytes: Vec<u8>) -> Seed {
    Seed {
        target,
        name: name.into(),
        bytes,
    }
}

/// Writes all inputs below a folder.
///
/// # Errors
/// A file cannot be written.
pub fn write(folder: &Path) -> io::Result<()> {
    for seed in all() {
        assert!(
            is_read(seed.target, &seed.bytes),
            "{} {}",
            seed.target,
            seed.name
        );
        let path: PathBuf = folder.join(seed.target);
        fs::create_dir_all(&path)?;
        fs::write(path.join(&seed.name), &seed.bytes)?;
    }
    Ok(())
}

/// Returns all inputs.
pub fn all() -> Vec<Seed> {
    let mut seeds = cursors();
    seeds.extend(models());
    seeds.extend(headers());
    seeds.extend(stored());
    seeds.push(seed("parquet", "products", parquet()));
    seeds
}

/// Returns true if an input is read without an error.
pub fn is_read(target: &str, bytes: &[u8]) -> bool {
    match target {
        "cursor" => {
            let cursor = URL_SAFE_NO_PAD.encode(&bytes[1..]);
            cursors::page(bytes[0], Some(cursor)).is_ok()
        }
        "model" => Model::from_bytes(bytes).is_ok() || SequenceModel::from_bytes(bytes).is_ok(),
        "segment" => segments::opened(bytes).is_some(),
        "state" => check_state(bytes) == Ok(shop::items().len()),
        "log" => log::repeat(bytes).is_ok(),
        "parquet" => catalogs::parquet_rows(bytes) == Some(2),
        _ => false,
    }
}

/// Returns the cursor of the second page of each kind of request.
fn cursors() -> Vec<Seed> {
    let page = |choice: u8| {
        let cursor = cursors::page(choice, None)
            .expect("a page")
            .expect("a cursor");
        let decoded = URL_SAFE_NO_PAD.decode(cursor).expect("base64");
        let bytes = [&[choice][..], &decoded].concat();
        seed("cursor", format!("page-{}", choice as char), bytes)
    };
    b"Sonwhr".map(page).into()
}

fn models() -> Vec<Seed> {
    let triples = (0..40_u32).map(|n| (n % 8, n * 7 % 5, 1.0 + (n % 3) as f32));
    let matrix = Matrix::from_triples(8, 5, triples.collect::<Vec<_>>()).expect("a matrix");
    let model = |text: &str| {
        let settings: ModelSettings = text.parse().expect("settings");
        let model = settings.fit_matrix(&matrix).expect("a model");
        seed("model", settings.name(), model.to_bytes().expect("bytes"))
    };
    let weights = GruWeights {
        dim: 2,
        vectors: vec![0.1; 10],
        input: vec![0.2; 12],
        input_bias: vec![0.3; 6],
        recurrent: vec![0.4; 12],
        recurrent_bias: vec![0.5; 6],
    };
    let network = SequenceModel::Gru(Gru::new(weights).expect("a network"));
    let network = seed("model", "gru", network.to_bytes().expect("bytes"));
    MODELS.into_iter().map(model).chain([network]).collect()
}

fn headers() -> Vec<Seed> {
    let header = |(choice, file): (u8, &Vec<u8>)| {
        let bytes = [&[choice][..], &segments::header(file)].concat();
        seed("segment", format!("header-{choice}"), bytes)
    };
    let mut headers: Vec<Seed> = (0..).zip(segments::FILES.iter()).map(header).collect();
    headers.push(seed("segment", "edits", vec![1, 0, 3, 0, 7, 5, 1, 0, 255]));
    headers
}

/// Returns a state file, and slices of the log.
fn stored() -> Vec<Seed> {
    let folder = tempfile::tempdir().expect("a folder");
    let database = Database::open(folder.path(), shop::options()).expect("a new database");
    let shop = shop::fill(&database);
    let slice = |name: &str, write: &dyn Fn()| {
        let before = database.operations().expect("a number");
        write();
        let slice = database
            .log_since(before)
            .expect("the log")
            .expect("a slice");
        seed("log", name, slice.bytes)
    };
    let mut seeds = vec![
        slice("items", &|| {
            let mut items = shop::items();
            items.truncate(2);
            items[0].title = Some("another title".to_owned());
            shop.upsert(items).expect("a write");
        }),
        slice("events", &|| {
            let mut events = shop::events();
            events.truncate(2);
            events.iter_mut().for_each(|event| event.id = None);
            database.append_events(&events).expect("accepted");
        }),
    ];
    database.close().expect("a closed database");
    let mut states = fs::read_dir(folder.path().join("states")).expect("states");
    let state = states.next().expect("a state").expect("an entry").path();
    seeds.push(seed("state", "shop", fs::read(state).expect("a state")));
    seeds
}

/// Returns a file with two products.
fn parquet() -> Vec<u8> {
    const SCHEMA: &str = "message products {
        required binary id (UTF8);
        optional double price;
        optional group tags (LIST) { repeated group list { optional binary element (UTF8); } }
    }";
    let mut bytes = Vec::new();
    let schema = Arc::new(parse_message_type(SCHEMA).expect("a schema"));
    let properties = Arc::new(WriterProperties::new());
    let mut file = SerializedFileWriter::new(&mut bytes, schema, properties).expect("a writer");
    let mut group = file.next_row_group().expect("a group");
    let texts = |texts: &[&str]| {
        texts
            .iter()
            .map(|t| ByteArray::from(*t))
            .collect::<Vec<_>>()
    };
    let mut number = 0;
    while let Some(mut column) = group.next_column().expect("a column") {
        let texts_of = |column: &mut _, values: &[&str], levels: [Option<&[i16]>; 2]| {
            let column: &mut parquet::file::writer::SerializedColumnWriter<'_> = column;
            let writer = column.typed::<ByteArrayType>();
            writer.write_batch(&texts(values), levels[0], levels[1])
        };
        match number {
            0 => texts_of(&mut column, &["1", "2"], [None, None]),
            1 => column
                .typed::<DoubleType>()
                .write_batch(&[9.5], Some(&[1, 0]), None),
            _ => texts_of(
                &mut column,
                &["a", "b"],
                [Some(&[3, 3, 0]), Some(&[0, 1, 0])],
            ),
        }
        .expect("values");
        column.close().expect("a closed column");
        number += 1;
    }
    group.close().expect("a closed group");
    file.close().expect("a closed file");
    bytes
}
