//! `federate coordinator`: the server of a training between shops.

use std::{io::Write, net::SocketAddr, path::PathBuf, time::Duration};

use clap::Args;
use serde_json::json;

use super::{PlanArgs, SharedKey};
use crate::{
    cli::Outcome,
    error::CommandError,
    federate::{
        Features,
        http::{Listen, serve},
        session::{Session, Waits},
    },
};

#[derive(Debug, Args)]
pub(in crate::cli) struct CoordinatorArgs {
    /// Address to listen on.
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:7290")]
    listen: SocketAddr,
    #[command(flatten)]
    shared: SharedKey,
    /// Minimum number of shops in a round, at least 3.
    #[arg(long, value_name = "N", default_value_t = 3)]
    min_shops: usize,
    #[command(flatten)]
    plan: PlanArgs,
    /// Folder of the state; a coordinator that is started again resumes after the last round.
    #[arg(long, value_name = "DIR")]
    state: Option<PathBuf>,
    /// PEM file with the certificate, for https.
    #[arg(long, value_name = "FILE", requires = "tls_key")]
    tls_certificate: Option<PathBuf>,
    /// PEM file with the private key of the certificate.
    #[arg(long, value_name = "FILE", requires = "tls_certificate")]
    tls_key: Option<PathBuf>,
    /// Seconds to wait for more shops, once there are enough.
    #[arg(long, value_name = "SECONDS", default_value_t = 10)]
    join_wait: u64,
    /// Seconds to wait for the training of a round.
    #[arg(long, value_name = "SECONDS", default_value_t = 3_600)]
    train_wait: u64,
    /// Seconds to wait for each other message of a round.
    #[arg(long, value_name = "SECONDS", default_value_t = 60)]
    message_wait: u64,
    /// Seconds without a sign of life after which a round goes on without a shop.
    #[arg(long, value_name = "SECONDS", default_value_t = 30)]
    silence: u64,
}

pub(super) fn run(args: &CoordinatorArgs, out: &mut dyn Write) -> Result<Outcome, CommandError> {
    if args.shared.key.len() < MIN_KEY {
        let reason = format!(
            "--key: expected at least {MIN_KEY} characters, got {}",
            args.shared.key.len()
        );
        return Err(CommandError::Usage(reason));
    }
    // The first shop decides on the encoders.
    let unknown = Features {
        encoders: String::new(),
        text: 1,
        image: 1,
    };
    let plan = args.plan.plan(unknown, args.min_shops)?;
    let waits = Waits {
        join: Duration::from_secs(args.join_wait),
        train: Duration::from_secs(args.train_wait),
        message: Duration::from_secs(args.message_wait),
        silence: Duration::from_secs(args.silence),
    };
    let session = Session::open(plan, waits, args.state.clone())?;
    let tls = args.tls_certificate.clone().zip(args.tls_key.clone());
    let listen = Listen {
        address: args.listen,
        key: args.shared.key.clone(),
        tls: tls.map(|(certificate, key)| [certificate, key]),
    };
    let serving = serve(&listen, session)?;
    writeln!(out, "{}", json!({"listening": serving.address()?}))?;
    out.flush()?;
    let summary = serving.run()?;
    writeln!(out, "{}", json!(summary))?;
    Ok(Outcome::Complete)
}

/// Minimum length of the key: shorter ones can be guessed over the network.
const MIN_KEY: usize = 16;
