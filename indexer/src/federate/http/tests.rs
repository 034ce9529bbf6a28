//! A training between real processes.

use std::{
    io::{BufRead, BufReader, Write},
    net::TcpStream,
    process::{Child, Command, Stdio},
    time::Duration,
};

use super::{Api, Listen, Member, Progress, serve};
use crate::federate::{
    Features, Global, Plan, Shop,
    samples::{IMAGE, TEXT, pairs, plan},
    session::{Session, Waits},
};

const KEY: &str = "a key of sixteen characters";

/// Environment of a shop's process: URL, number, and the event at which it stops for good.
const SHOP: &str = "VITRINE_TEST_SHOP";

const ROUNDS: u32 = 2;

fn waits() -> Waits {
    Waits {
        join: Duration::from_secs(8),
        train: Duration::from_secs(30),
        message: Duration::from_secs(30),
        silence: Duration::from_secs(6),
    }
}

fn listen() -> Listen {
    Listen {
        address: "127.0.0.1:0".parse().expect("an address"),
        key: KEY.to_owned(),
        tls: None,
    }
}

fn api(url: &str, key: &str) -> Api {
    Api::new(url, key, None, Duration::from_secs(5)).expect("a client")
}

fn member<'a>(
    api: &'a Api,
    plan: &Plan,
    number: u64,
    pairs: &'a crate::train::Pairs,
) -> Member<'a> {
    Member {
        api,
        shop: format!("shop {number}"),
        features: plan.features.clone(),
        pairs,
        seed: number,
    }
}

/// Not a test of its own: the process of a shop, which the test below starts.
#[test]
#[ignore = "a part of another test"]
fn process_of_a_shop() {
    let Ok(setting) = std::env::var(SHOP) else {
        return;
    };
    let [url, number, stop] = setting.split(' ').collect::<Vec<_>>()[..] else {
        panic!("expected a URL, a number and an event, got {setting}");
    };
    let number = number.parse().expect("a number");
    let (api, own) = (api(url, KEY), pairs(50, number));
    let finished = member(&api, &plan(ROUNDS), number, &own).run(&mut |progress| {
        let event = match progress {
            Progress::Trained { .. } => return,
            Progress::Masked(round) => format!("masked-{round}"),
            Progress::Sent(round) => format!("sent-{round}"),
        };
        if event == stop {
            println!("stopped");
            std::thread::sleep(Duration::from_secs(600));
        }
    });
    let heads = finished.expect("a training").heads;
    println!("digest {}", heads.digest().expect("a digest"));
}

fn start(url: &str, number: u64, stop: &str) -> Child {
    Command::new(std::env::current_exe().expect("this program"))
        .args(["--exact", "federate::http::tests::process_of_a_shop"])
        .args(["--ignored", "--nocapture"])
        .env(SHOP, format!("{url} {number} {stop}"))
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .expect("a process")
}

/// Returns the rest of the line of a process's output that begins with `start`.
fn line(child: &mut Child, start: &str) -> String {
    let output = child.stdout.take().expect("its output");
    let lines = BufReader::new(output).lines().map_while(Result::ok);
    // The test harness may have written before it on the same line.
    let found = lines.filter_map(|line| Some(line.split_once(start)?.1.trim().to_owned()));
    found
        .take(1)
        .next()
        .unwrap_or_else(|| panic!("no line `{start}`"))
}

/// Returns the digest of heads after the plain sums of the vectors of `shops` by round.
fn expected(plan: &Plan, by_round: [&[u64]; 3]) -> String {
    let mut global = Global::new(plan).expect("a start");
    for (round, numbers) in (0..).zip(by_round) {
        let mut sum = vec![0_u32; global.length(plan, round)];
        for number in numbers {
            let own = pairs(50, *number);
            let shop = Shop::new(plan, &own, *number).expect("a shop");
            let vector = match round {
                0 => shop.statistics().expect("moments"),
                _ => {
                    let update = shop.train(&global.heads, round).expect("an update");
                    shop.quantized(&update, 5).expect("integers")
                }
            };
            sum.iter_mut()
                .zip(vector)
                .for_each(|(s, v)| *s = s.wrapping_add(v));
        }
        match round {
            0 => global
                .apply_statistics(plan, &sum, numbers.len())
                .expect("moments"),
            _ => {
                global.apply(plan, &sum, numbers.len()).expect("a step");
            }
        }
    }
    global.heads.digest().expect("a digest")
}

#[test]
fn five_processes_train_the_same_heads_although_two_are_killed() {
    let plan = plan(ROUNDS);
    let session = Session::open(plan.clone(), waits(), None).expect("a session");
    let serving = serve(&listen(), session).expect("a server");
    let url = format!("http://{}", serving.address().expect("an address"));
    let coordinator = std::thread::spawn(move || serving.run());
    // One is killed after masking, before it sends; one after it sent its vector.
    let mut unsent = start(&url, 1, "masked-0");
    let mut sent = start(&url, 2, "sent-1");
    let mut others: Vec<Child> = (3..=5).map(|number| start(&url, number, "never")).collect();
    for child in [&mut unsent, &mut sent] {
        line(child, "stopped");
        child.kill().expect("killed");
        child.wait().expect("gone");
    }
    let expected = expected(&plan, [&[2, 3, 4, 5], &[2, 3, 4, 5], &[3, 4, 5]]);
    for child in &mut others {
        assert_eq!(
            line(child, "digest "),
            expected,
            "bit for bit the plain sums"
        );
        child.wait().expect("gone");
    }
    let summary = coordinator.join().expect("no panic").expect("a training");
    assert_eq!((summary.rounds, summary.heads), (ROUNDS, expected));
}

#[test]
fn a_shop_with_another_key_or_other_encoders_is_refused() {
    let plan = plan(1);
    let session = Session::open(plan.clone(), waits(), None).expect("a session");
    let serving = serve(&listen(), session).expect("a server");
    let url = format!("http://{}", serving.address().expect("an address"));
    // It stays until the test process ends.
    std::thread::spawn(move || serving.run());
    let own = pairs(30, 1);
    let stranger = api(&url, "another key than that");
    let error = member(&stranger, &plan, 1, &own).run(&mut |_| {});
    let error = error.err().expect("refused").to_string();
    assert!(error.contains("--key"), "{error}");

    let known = api(&url, KEY);
    let join = |features: Features| {
        known.join(&crate::federate::messages::Join {
            protocol: crate::federate::PROTOCOL,
            shop: "first".to_owned(),
            features,
            summed: None,
        })
    };
    join(plan.features.clone()).expect("the first decides");
    let other = Features {
        encoders: "others".to_owned(),
        ..plan.features.clone()
    };
    let error = join(other).expect_err("refused").to_string();
    assert!(
        error.contains("expected encoders") && error.contains("others"),
        "{error}"
    );
    let wider = Features {
        image: IMAGE + 1,
        text: TEXT,
        ..plan.features.clone()
    };
    let error = join(wider).expect_err("refused").to_string();
    assert!(
        error.contains("expected 8 features of image, got 9"),
        "{error}"
    );
}

#[test]
fn a_vector_is_read_only_with_the_key_and_as_far_as_expected() {
    let plan = plan(1);
    let session = Session::open(plan.clone(), waits(), None).expect("a session");
    let serving = serve(&listen(), session).expect("a server");
    let address = serving.address().expect("an address");
    // It stays until the test process ends.
    std::thread::spawn(move || serving.run());
    let status = |key: &str, length: usize| {
        let mut stream = TcpStream::connect(address).expect("connected");
        let timeout = Some(Duration::from_secs(20));
        stream.set_read_timeout(timeout).expect("a timeout");
        let head = format!(
            "POST /federation/vector HTTP/1.1\r\nhost: a\r\nauthorization: Bearer {key}\r\n\
             content-length: {length}\r\n\r\n"
        );
        // The body is announced, but does not come.
        stream.write_all(head.as_bytes()).expect("sent");
        let mut line = String::new();
        BufReader::new(stream)
            .read_line(&mut line)
            .expect("an answer");
        line
    };
    let answer = status("another key than that", 1 << 30);
    assert!(answer.contains(" 401 "), "{answer}");

    let known = api(&format!("http://{address}"), KEY);
    let joined = known
        .join(&crate::federate::messages::Join {
            protocol: crate::federate::PROTOCOL,
            shop: "first".to_owned(),
            features: plan.features.clone(),
            summed: None,
        })
        .expect("joined");
    let length = 2 * (TEXT + IMAGE) + 1;
    let send = |length: usize| {
        let error = known.vector(&joined.member, &vec![0; length]);
        error.expect_err("refused").to_string()
    };
    assert!(send(length + 1).contains("expected a vector of 116 bytes, got more"));
    assert!(send(length).contains("not this step's turn"));
}
