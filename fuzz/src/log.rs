//! Slices of the write-ahead log, as replicas fetch them.

use std::{cell::RefCell, path::Path};

use tempfile::TempDir;
use vitrine::{Database, Options, Result};

use crate::shop;

/// Inputs after which the copy is replaced, so that they do not add up.
const INPUTS_PER_COPY: usize = 2_000;

thread_local! {
    static REPLICA: RefCell<Option<Replica>> = const { RefCell::new(None) };
}

/// An open copy of the shop.
struct Replica {
    database: Option<Database>,
    inputs: usize,
    original: TempDir,
    folder: TempDir,
}

impl Replica {
    fn new() -> Self {
        let original = tempfile::tempdir().expect("a folder");
        let database = Database::open(original.path(), shop::options()).expect("a new database");
        shop::fill(&database);
        database.close().expect("a closed database");
        drop(database);
        Self {
            database: None,
            inputs: 0,
            original,
            folder: tempfile::tempdir().expect("a folder"),
        }
    }

    fn database(&mut self) -> &Database {
        self.inputs += 1;
        if self.inputs.is_multiple_of(INPUTS_PER_COPY) {
            self.database = None;
        }
        let (original, folder) = (&self.original, &mut self.folder);
        self.database.get_or_insert_with(|| {
            *folder = tempfile::tempdir().expect("a folder");
            copy(original.path(), folder.path());
            let options = Options {
                create: false,
                replica: true,
                ..shop::options()
            };
            Database::open(folder.path(), options).expect("the copy")
        })
    }
}

fn copy(from: &Path, to: &Path) {
    for entry in std::fs::read_dir(from).expect("a folder").flatten() {
        let target = to.join(entry.file_name());
        if entry.path().is_dir() {
            std::fs::create_dir_all(&target).expect("a folder");
            copy(&entry.path(), &target);
        } else {
            std::fs::copy(entry.path(), target).expect("a file");
        }
    }
}

/// Repeats a slice in a copy of the shop, and reads from it.
pub fn log(input: &[u8]) {
    let _ = repeat(input);
}

/// Repeats a slice in a copy of the shop, and reads from it.
///
/// # Errors
/// The slice cannot be repeated.
pub fn repeat(slice: &[u8]) -> Result<()> {
    REPLICA.with_borrow_mut(|replica| {
        let database = replica.get_or_insert_with(Replica::new).database();
        database.replay(slice)?;
        let shop = database.collection("shop")?;
        let _ = shop.scroll(None, 5, None, true);
        shop.count(None).map(drop)
    })
}
