//! Search over HTTP beside search in process: the same collection, queries and number of clients,
//! one after the other in one run.
//!
//! On a small machine clients and server share the cores, so besides the rate it tells the
//! processor time that a search takes: of this process in the first case, of the server alone in
//! the second.

use std::{
    fs,
    io::{BufRead, BufReader, Read, Write},
    net::TcpStream,
    path::PathBuf,
    process::{Child, Command, Stdio},
    sync::atomic::{AtomicUsize, Ordering::Relaxed},
    thread,
    time::{Duration, Instant},
};

use clap::Parser;
use serde_json::json;
use vitrine::{
    Database, Options, Target, VectorSearch,
    schemas::{CollectionConfig, Item},
};

#[path = "npy.rs"]
mod npy;

#[derive(Parser)]
struct Args {
    /// Vectors of the items: .npy, f32, two dimensions.
    #[arg(long)]
    base: PathBuf,
    /// Vectors to search for.
    #[arg(long)]
    queries: PathBuf,
    /// Number of items: the first rows of the file, repeated with a little noise if it has fewer.
    #[arg(long, default_value_t = 100_000)]
    items: usize,
    /// The `vitrine-server` binary.
    #[arg(long)]
    server: PathBuf,
    /// Folder of the database; kept, and used again by the next run.
    #[arg(long)]
    data: PathBuf,
    /// Clients at a time.
    #[arg(long, default_value_t = 8)]
    clients: usize,
    /// Searches in each case.
    #[arg(long, default_value_t = 20_000)]
    searches: usize,
}

const LIMIT: usize = 10;

type Outcome<T> = Result<T, Box<dyn std::error::Error>>;

fn main() -> Outcome<()> {
    let args = Args::parse();
    let base = npy::Matrix::read(&args.base)?;
    let queries = npy::Matrix::read(&args.queries)?;
    let queries: Vec<&[f32]> = queries.rows().collect();
    fill(&args, &base)?;

    let db = Database::open(&args.data, Options::default())?;
    let shop = db.collection("shop")?;
    let search = |query: &&[f32]| {
        let search = VectorSearch {
            target: Target::Vector(query.to_vec()),
            fingerprint: None,
            space: "shared".into(),
            filter: None,
            limit: LIMIT,
            ef: None,
            exact: false,
            with_vectors: false,
            explain: false,
            deadline: None,
        };
        assert_eq!(
            shop.search_vectors(&search).expect("an answer").hits.len(),
            LIMIT
        );
    };
    queries.iter().take(1_000).for_each(search);
    let own = std::process::id();
    let inside = measure(&args, queries.len(), own, || {
        |at: usize| search(&queries[at])
    });
    say("in process", args.clients, &inside);
    drop((shop, db));

    let server = Server::start(&args)?;
    let requests: Vec<Vec<u8>> = queries.iter().map(|query| request(query)).collect();
    let (requests, address) = (&requests, &server.address);
    let client = || {
        let mut client = Client::new(address);
        move |at: usize| client.send(&requests[at])
    };
    let mut warm = client();
    (0..1_000).for_each(|at| warm(at % queries.len()));
    let outside = measure(&args, queries.len(), server.process.id(), client);
    say("http", args.clients, &outside);
    let (a, b) = (&outside, &inside);
    println!(
        "{}",
        json!({"ratio": "http / in process", "qps": a.qps / b.qps, "p50": a.at(0.5) / b.at(0.5), "p99": a.at(0.99) / b.at(0.99),
               "cpu_per_search": a.cpu / b.cpu})
    );
    Ok(())
}

/// Imports the items, unless they are stored already, into one segment.
fn fill(args: &Args, base: &npy::Matrix) -> Outcome<()> {
    let db = Database::open(&args.data, Options::default())?;
    let config: CollectionConfig = serde_json::from_value(json!({
        "attributes": {"color": "keyword"}, "vectors": {"shared": {"dim": base.columns}}
    }))?;
    let shop = db.create_collection("shop", config)?;
    let rows: Vec<&[f32]> = base.rows().collect();
    let there = shop.stats().items as usize;
    let numbers: Vec<usize> = (there..args.items).collect();
    for numbers in numbers.chunks(1_000) {
        let items = numbers.iter().map(|n| item(*n, &rows));
        for outcome in shop.upsert(items.collect::<Result<_, _>>()?)? {
            outcome?;
        }
    }
    eprintln!("{} items, sealing", shop.stats().items);
    db.optimize("shop")?;
    Ok(())
}

fn item(n: usize, rows: &[&[f32]]) -> Outcome<Item> {
    let color = ["red", "green", "blue", "black"][n % 4];
    let fields = json!({
        "id": n.to_string(), "title": format!("Product number {n}"), "brand": format!("Brand {}", n % 97),
        "category": format!("Department {} > Shelf {}", n % 13, n % 211),
        "price": {"amount": (n * 7919 % 100_000) as f64 / 100.0, "currency": "EUR"},
        "attributes": {"color": color},
    });
    let mut item: Item = serde_json::from_value(fields)?;
    let mut vector = rows[n % rows.len()].to_vec();
    if n >= rows.len() {
        let noise = |i: usize| ((n * 31 + i * 17) % 101) as f32 / 101.0 - 0.5;
        let length = vector.iter().map(|x| x * x).sum::<f32>().sqrt();
        let step = length / (vector.len() as f32).sqrt() * 0.5;
        let noisy = vector.iter_mut().enumerate();
        noisy.for_each(|(i, x)| *x += step * noise(i));
    }
    item.vectors.insert("shared".into(), vector);
    Ok(item)
}

struct Measured {
    qps: f64,
    /// Seconds of the processor a search.
    cpu: f64,
    /// Milliseconds, sorted.
    times: Vec<f64>,
}

impl Measured {
    fn at(&self, share: f64) -> f64 {
        self.times[((self.times.len() - 1) as f64 * share) as usize]
    }
}

/// The searches by all clients; `client` makes one.
fn measure<C: FnMut(usize)>(
    args: &Args,
    queries: usize,
    process: u32,
    client: impl Fn() -> C + Sync,
) -> Measured {
    let next = AtomicUsize::new(0);
    let (started, before) = (Instant::now(), cpu(process));
    let work = || {
        let mut client = client();
        let mut times = Vec::new();
        loop {
            let at = next.fetch_add(1, Relaxed);
            if at >= args.searches {
                return times;
            }
            let started = Instant::now();
            client(at % queries);
            times.push(started.elapsed().as_secs_f64() * 1e3);
        }
    };
    let mut times: Vec<f64> = thread::scope(|scope| {
        let clients: Vec<_> = (0..args.clients).map(|_| scope.spawn(work)).collect();
        let times = clients.into_iter().map(|c| c.join().expect("a client"));
        times.flatten().collect()
    });
    times.sort_by(f64::total_cmp);
    let searches = args.searches as f64;
    Measured {
        qps: searches / started.elapsed().as_secs_f64(),
        cpu: (cpu(process) - before) / searches,
        times,
    }
}

fn say(case: &str, clients: usize, measured: &Measured) {
    println!(
        "{}",
        json!({"case": case, "clients": clients, "qps": measured.qps, "p50_ms": measured.at(0.5), "p99_ms": measured.at(0.99),
               "cpu_us_per_search": measured.cpu * 1e6})
    );
}

/// Seconds of the processor that a process has had.
fn cpu(process: u32) -> f64 {
    let text = fs::read_to_string(format!("/proc/{process}/stat")).expect("the process runs");
    // After the name, which may hold anything: user and system time, in ticks of 10 ms, are the
    // 12th and 13th.
    let (_, fields) = text.rsplit_once(')').expect("a name");
    let ticks = fields.split_whitespace().skip(11).take(2);
    ticks
        .map(|t| t.parse::<f64>().expect("ticks") / 100.0)
        .sum()
}

struct Server {
    process: Child,
    address: String,
}

impl Server {
    fn start(args: &Args) -> Outcome<Self> {
        let file = args.data.with_extension("address");
        let _ = fs::remove_file(&file);
        let process = Command::new(&args.server)
            .args(["serve", "--listen", "127.0.0.1:0", "--data-dir"])
            .arg(&args.data)
            .arg("--address-file")
            .arg(&file)
            .stderr(Stdio::null())
            .spawn()?;
        let mut server = Self {
            process,
            address: String::new(),
        };
        let started = Instant::now();
        while server.address.is_empty() {
            if started.elapsed() > Duration::from_secs(120) || server.process.try_wait()?.is_some()
            {
                return Err("the server did not get ready".into());
            }
            thread::sleep(Duration::from_millis(20));
            server.address = fs::read_to_string(&file)
                .unwrap_or_default()
                .trim()
                .to_owned();
        }
        Ok(server)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = Command::new("kill")
            .arg(self.process.id().to_string())
            .status();
        let _ = self.process.wait();
    }
}

fn request(query: &[f32]) -> Vec<u8> {
    let body = json!({"query": {"vector": query}, "limit": LIMIT}).to_string();
    let head = "POST /v1/collections/shop/search HTTP/1.1\r\nhost: bench\r\ncontent-type: application/json\r\n";
    format!("{head}content-length: {}\r\n\r\n{body}", body.len()).into_bytes()
}

/// A connection that is kept; no client library, whose time would count too.
struct Client(BufReader<TcpStream>);

impl Client {
    fn new(address: &str) -> Self {
        let stream = TcpStream::connect(address).expect("the server takes connections");
        stream.set_nodelay(true).expect("an option");
        Self(BufReader::new(stream))
    }

    fn send(&mut self, request: &[u8]) {
        self.0.get_mut().write_all(request).expect("sent");
        let (mut line, mut length) = (String::new(), 0);
        let mut is_first = true;
        loop {
            line.clear();
            self.0.read_line(&mut line).expect("a head");
            if std::mem::take(&mut is_first) {
                assert!(line.starts_with("HTTP/1.1 200"), "{line}");
            }
            let lower = line.to_ascii_lowercase();
            if let Some(value) = lower.strip_prefix("content-length:") {
                length = value.trim().parse().expect("a length");
            }
            if line.trim().is_empty() {
                break;
            }
        }
        let mut body = vec![0; length];
        self.0.read_exact(&mut body).expect("a body");
        assert!(
            body.starts_with(b"{\"hits\":["),
            "{}",
            String::from_utf8_lossy(&body)
        );
    }
}
