//! The `vitrine-server` program.

use std::process::ExitCode;

use clap::{CommandFactory, FromArgMatches};
use tikv_jemallocator::Jemalloc;
use vitrine_server::cli::{self, Cli};

/// Allocator of the whole program, RocksDB included. It gives memory back to the system: with the
/// system's allocator, what a burst of writes took stayed resident.
#[global_allocator]
static ALLOCATOR: Jemalloc = Jemalloc;

/// Settings of the allocator: freed memory is returned after a second, by a thread of its own.
#[unsafe(export_name = "malloc_conf")]
pub static MALLOC_CONF: &[u8] =
    b"background_thread:true,dirty_decay_ms:1000,muzzy_decay_ms:1000,narenas:8\0";

#[actix_web::main]
async fn main() -> ExitCode {
    // Files hold events of people: they are for this user only.
    rustix::process::umask(rustix::fs::Mode::RWXG | rustix::fs::Mode::RWXO);
    let version = vitrine::version(option_env!("VITRINE_COMMIT"));
    let arguments = Cli::command().version(version).get_matches();
    let cli = Cli::from_arg_matches(&arguments).unwrap_or_else(|error| error.exit());
    match cli::run(cli).await {
        Ok(code) => code,
        Err(error) => {
            eprintln!("vitrine-server: {error}");
            ExitCode::FAILURE
        }
    }
}
