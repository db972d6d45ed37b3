//! When to ask the CA.

use std::time::{Duration, SystemTime};

use rustls::crypto::ring;

use crate::tls::Facts;

/// The longest pause after a failure, but for what the CA asks for.
const LONGEST_PAUSE: Duration = Duration::from_secs(12 * 60 * 60);
/// However long the CA asks for, it is asked again after this.
pub const LONGEST_WAIT: Duration = Duration::from_secs(7 * 24 * 60 * 60);

/// When a certificate is to be renewed: a third of its life is left.
pub fn renewal(facts: &Facts) -> SystemTime {
    let life = facts.not_after.duration_since(facts.not_before);
    facts.not_after - life.unwrap_or_default() / 3
}

/// How long to wait after this many failures in a row: `first`, doubled with each, up to twelve hours; a quarter more or
/// less, so that machines which were started together do not ask together.
pub fn pause(failures: u32, first: Duration) -> Duration {
    spread(doubled(failures, first), random())
}

fn doubled(failures: u32, first: Duration) -> Duration {
    let times = 1_u32
        .checked_shl(failures.saturating_sub(1))
        .unwrap_or(u32::MAX);
    first.saturating_mul(times).min(LONGEST_PAUSE)
}

fn spread(pause: Duration, random: u8) -> Duration {
    pause * 3 / 4 + pause * u32::from(random) / 510
}

fn random() -> u8 {
    let mut byte = [128];
    // Without random bytes the pause is in the middle.
    let _ = ring::default_provider().secure_random.fill(&mut byte);
    let [byte] = byte;
    byte
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_third_of_the_life_is_left_when_it_is_renewed() {
        let begin = SystemTime::UNIX_EPOCH;
        let facts = Facts {
            issuer: String::new(),
            names: Vec::new(),
            not_before: begin,
            not_after: begin + Duration::from_secs(90),
        };
        assert_eq!(renewal(&facts), begin + Duration::from_secs(60));
    }

    #[test]
    fn pauses_double_from_a_minute_to_twelve_hours() {
        let first = Duration::from_secs(60);
        for (failures, minutes) in [(1, 1), (2, 2), (5, 16), (10, 512), (11, 720), (40, 720)] {
            assert_eq!(
                doubled(failures, first).as_secs(),
                minutes * 60,
                "{failures}"
            );
        }
    }

    #[test]
    fn machines_that_were_started_together_do_not_ask_together() {
        let pause = Duration::from_secs(510);
        assert_eq!(spread(pause, 0), pause * 3 / 4);
        assert_eq!(spread(pause, 255).as_secs(), 510 * 5 / 4);
        let pauses: std::collections::HashSet<_> =
            (0..32).map(|_| super::pause(1, pause)).collect();
        assert!(pauses.len() > 2);
    }
}
