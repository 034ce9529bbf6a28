//! libFuzzer on the target that `VITRINE_FUZZ_TARGET` names; see `scripts/fuzz/run.sh`.
#![no_main]

use std::{alloc::System, panic, process, sync::OnceLock, thread};

use cap::Cap;
use libfuzzer_sys::fuzz_target;
use vitrine_fuzz::{TARGETS, Target, seeds, target};

/// Bytes that Rust code may allocate beyond what the first input leaves behind. Inputs are a few
/// kilobytes, so more is an allocation that only an input asked for.
const MAX_BYTES: usize = 512 << 20;

#[global_allocator]
static MEMORY: Cap<System> = Cap::new(System, usize::MAX);

static TARGET: OnceLock<Target> = OnceLock::new();

/// Chooses the target, and lets it build what all inputs share; or writes the inputs that are made
/// by code.
fn prepare() {
    if let Some(folder) = std::env::var_os("VITRINE_FUZZ_SEEDS") {
        let written = seeds::write(folder.as_ref());
        written.expect("a folder that can be written to");
        process::exit(0);
    }
    let name = std::env::var("VITRINE_FUZZ_TARGET").unwrap_or_default();
    let Some(target) = target(&name) else {
        let known: Vec<_> = TARGETS.iter().map(|(name, _)| *name).collect();
        eprintln!("expected VITRINE_FUZZ_TARGET to be one of {known:?}, got {name:?}");
        process::exit(2);
    };
    // libFuzzer's hook ends the process at once, but some panics of dependencies are caught: those
    // of this thread reach libFuzzer if nothing catches them, those of others would be lost.
    let _ = panic::take_hook();
    let main = thread::current().id();
    panic::set_hook(Box::new(move |info| {
        eprintln!("{info}");
        if thread::current().id() != main {
            process::abort();
        }
    }));
    target(b"");
    let limit = MEMORY.allocated().saturating_add(MAX_BYTES);
    if MEMORY.set_limit(limit).is_err() {
        process::abort();
    }
    TARGET.get_or_init(|| target);
}

fuzz_target!(init: prepare(), |bytes: &[u8]| {
    if let Some(target) = TARGET.get() {
        target(bytes);
    }
});
