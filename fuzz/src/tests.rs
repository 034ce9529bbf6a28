//! The committed inputs: every target has some, and takes them.

use std::{fs, path::PathBuf};

use vitrine::Database;

use super::*;

fn corpus() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("corpus")
}

#[test]
fn every_target_takes_its_committed_inputs() {
    for (name, run) in TARGETS {
        run(b"");
        let inputs: Vec<_> = fs::read_dir(corpus().join(name)).expect(name).collect();
        assert!(!inputs.is_empty(), "expected inputs of {name}");
        for input in inputs {
            run(&fs::read(input.expect("an entry").path()).expect("an input"));
        }
    }
    assert!(target("filter").is_some() && target("nothing").is_none());
}

#[test]
fn committed_inputs_in_binary_formats_are_still_read() {
    let seeds = seeds::all();
    assert!(seeds.len() > 20, "{}", seeds.len());
    for seeds::Seed { target, name, .. } in seeds {
        let path = corpus().join(target).join(&name);
        let bytes = fs::read(&path).expect("a committed input");
        let hint = "write it again, see fuzz/src/seeds.rs";
        assert!(seeds::is_read(target, &bytes), "{target}/{name}: {hint}");
    }
}

#[test]
fn a_damaged_state_file_is_told_by_a_check_of_the_directory() {
    let folder = tempfile::tempdir().expect("a folder");
    let database = Database::open(folder.path(), shop::options()).expect("a database");
    shop::fill(&database);
    database.close().expect("closed");
    drop(database);
    let whole = Database::verify_closed(folder.path()).expect("whole");
    assert!(whole.damaged_states.is_empty());
    let mut states = fs::read_dir(folder.path().join("states")).expect("states");
    let state = states.next().expect("a state").expect("an entry").path();
    let bytes = fs::read(&state).expect("a state");
    fs::write(&state, &bytes[..bytes.len() - 1]).expect("a file");
    let damaged = Database::verify_closed(folder.path()).expect("whole but for a cache");
    let causes: Vec<_> = damaged.damaged_states.values().collect();
    assert_eq!(causes, ["is truncated"]);
}
