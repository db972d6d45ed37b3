use std::cell::RefCell;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use proptest::collection::vec;
use proptest::prelude::any;
use proptest::test_runner::{Config, RngSeed, TestCaseError, TestRunner};

use crate::generated::compare::{Outcome, Side, Sides, chosen};
use crate::proxy::{DEADLINE, Proxy};

/// As many decisions as three odd requests take.
const CHOICES: usize = 80;

/// Chooses the same in each run, and something else in each round, unless PROPTEST_RNG_SEED and PROPTEST_CASES say
/// otherwise.
pub fn runner(cases: u32, round: u64) -> TestRunner {
    let mut config = Config {
        failure_persistence: None,
        ..Config::default()
    };
    let seed = match config.rng_seed {
        RngSeed::Random => 1,
        RngSeed::Fixed(seed) => seed,
    };
    config.rng_seed = RngSeed::Fixed(seed.wrapping_add(round));
    if std::env::var_os("PROPTEST_CASES").is_none() {
        config.cases = cases;
    }
    TestRunner::new(config)
}

/// Requests in which a defect was found once.
fn corpus() -> Vec<(PathBuf, Vec<u8>)> {
    let folder = Path::new("tests/corpus/requests");
    let files = std::fs::read_dir(folder).unwrap();
    let mut files: Vec<_> = files.map(|file| file.unwrap().path()).collect();
    files.sort();
    let read = |path: PathBuf| (path.clone(), std::fs::read(path).unwrap());
    files.into_iter().map(read).collect()
}

/// Leads all requests to the backend.
fn in_front(proxy: &Proxy) -> impl FnOnce(u16) -> u16 {
    |backend| {
        proxy.add_route("/", backend);
        proxy.port
    }
}

#[test]
fn what_comes_through_is_clear_whatever_was_sent() {
    let proxy = Proxy::start();
    let side = Side::start(DEADLINE, in_front(&proxy));
    for (path, bytes) in corpus() {
        side.check(&bytes)
            .unwrap_or_else(|why| panic!("{}: {why}", path.display()));
    }
    runner(2000, 0)
        .run(&vec(any::<u8>(), 0..CHOICES), |choices| {
            side.check(&chosen(&choices)).map_err(TestCaseError::fail)
        })
        .unwrap();
}

#[test]
#[ignore = "asks Debian's nginx, which `make test` installs"]
fn nothing_comes_through_that_nginx_refuses_or_reads_differently() {
    let proxy = Proxy::start();
    let sides = Sides::start(DEADLINE, in_front(&proxy));
    let outcomes = RefCell::new(BTreeMap::<Outcome, usize>::new());
    let compare = |bytes: &[u8]| {
        let outcome = sides.compare(bytes)?;
        *outcomes.borrow_mut().entry(outcome).or_default() += 1;
        match outcome {
            Outcome::Waits => Err(format!("waits: {}", bytes.escape_ascii())),
            _ => Ok(()),
        }
    };
    for (path, bytes) in corpus() {
        compare(&bytes).unwrap_or_else(|why| panic!("{}: {why}", path.display()));
    }
    runner(4000, 0)
        .run(&vec(any::<u8>(), 0..CHOICES), |choices| {
            compare(&chosen(&choices)).map_err(TestCaseError::fail)
        })
        .unwrap();
    let outcomes = outcomes.into_inner();
    println!("{outcomes:?}");
    // Else all of them were refused.
    assert!(outcomes[&Outcome::Same] > outcomes.values().sum::<usize>() / 2);
}
