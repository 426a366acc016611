//! Log-ins that failed, of each person and from each network: after some of them one waits, each time twice as long. One that is not
//! decided yet counts as failed, so that as many at once are no way round. People whom nobody knows are counted like all others.

use std::collections::HashMap;
use std::net::{IpAddr, Ipv6Addr};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use jiff::Timestamp;
use runbook_core::limits;

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
enum Of {
    Person(String),
    /// An address; of the newer ones the network, of which one has as many as they like.
    Network(IpAddr),
}

impl Of {
    fn network(address: IpAddr) -> Of {
        Of::Network(match address.to_canonical() {
            IpAddr::V4(address) => IpAddr::V4(address),
            IpAddr::V6(address) => {
                let [a, b, c, d, ..] = address.segments();
                IpAddr::V6(Ipv6Addr::new(a, b, c, d, 0, 0, 0, 0))
            }
        })
    }

    /// How many may fail before one waits.
    fn free(&self) -> u32 {
        match self {
            Of::Person(_) => limits::LOGINS_OF_ONE,
            Of::Network(_) => limits::LOGINS_FROM_ONE,
        }
    }
}

#[derive(Clone, Copy, Debug)]
struct Failed {
    times: u32,
    last: Timestamp,
}

impl Failed {
    fn is_forgotten(self, now: Timestamp) -> bool {
        now.duration_since(self.last).unsigned_abs() >= limits::LOGINS_FORGOTTEN
    }

    /// How long one waits still.
    fn wait(self, of: &Of, now: Timestamp) -> Duration {
        let Some(more) = self.times.checked_sub(of.free()) else { return Duration::ZERO };
        let wait = limits::LOGIN_WAIT.saturating_mul(2_u32.saturating_pow(more)).min(limits::LOGIN_WAIT_MOST);
        // A clock that was set back makes nobody wait for longer.
        let since = now.duration_since(self.last).try_into().unwrap_or(Duration::ZERO);
        wait.saturating_sub(since)
    }
}

#[derive(Debug, Default)]
pub struct Attempts {
    failed: Mutex<HashMap<Of, Failed>>,
}

impl Attempts {
    /// Begins one, or says how long it has to wait.
    pub fn begin(&self, person: &str, address: IpAddr, now: Timestamp) -> Result<Attempt<'_>, Duration> {
        let of = [Of::Person(person.to_owned()), Of::network(address)];
        let mut failed = self.lock();
        for of in &of {
            if failed.get(of).is_some_and(|failed| failed.is_forgotten(now)) {
                failed.remove(of);
            }
        }
        let wait = of.iter().filter_map(|of| Some(failed.get(of)?.wait(of, now))).max().unwrap_or_default();
        if !wait.is_zero() {
            return Err(wait);
        }
        for of in &of {
            make_room(&mut failed, now);
            let known = failed.entry(of.clone()).or_insert(Failed { times: 0, last: now });
            *known = Failed { times: known.times.saturating_add(1), last: now };
        }
        drop(failed);
        let [person, network] = of;
        Ok(Attempt { of: self, person, network })
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<Of, Failed>> {
        self.failed.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What failed long ago is forgotten; where that is not enough, what failed first.
fn make_room(failed: &mut HashMap<Of, Failed>, now: Timestamp) {
    if failed.len() < limits::LOGINS_KNOWN {
        return;
    }
    failed.retain(|_, failed| !failed.is_forgotten(now));
    if failed.len() >= limits::LOGINS_KNOWN
        && let Some(first) = failed.iter().min_by_key(|(_, failed)| failed.last).map(|(of, _)| of.clone())
    {
        failed.remove(&first);
    }
}

/// One that is under way, and failed unless it is said that it did not.
#[derive(Debug)]
pub struct Attempt<'a> {
    of: &'a Attempts,
    person: Of,
    network: Of,
}

impl Attempt<'_> {
    /// It was the person: what others tried in their name does not count any more. Where they are does not tell who else is there.
    pub fn succeeded(self) {
        let mut failed = self.of.lock();
        failed.remove(&self.person);
        take_back(&mut failed, &self.network);
    }

    /// Nobody looked whether it was the person.
    pub fn not_made(self) {
        let mut failed = self.of.lock();
        take_back(&mut failed, &self.person);
        take_back(&mut failed, &self.network);
    }
}

fn take_back(failed: &mut HashMap<Of, Failed>, of: &Of) {
    if let Some(known) = failed.get_mut(of) {
        known.times = known.times.saturating_sub(1);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_second(1_700_000_000 + seconds).unwrap()
    }

    fn from(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    fn wait(attempts: &Attempts, person: &str, address: &str, seconds: i64) -> u64 {
        attempts.begin(person, from(address), at(seconds)).map_or_else(|wait| wait.as_secs(), |_| 0)
    }

    #[test]
    fn each_failure_makes_the_next_wait_longer() {
        let attempts = Attempts::default();
        assert!((0..5).all(|number| wait(&attempts, "anna", &format!("192.0.2.{number}"), 0) == 0));
        let mut now = 0;
        for expect in [1, 2, 4, 8, 16, 32, 64, 128, 256, 300, 300] {
            assert_eq!(wait(&attempts, "anna", "192.0.2.77", now), expect);
            assert_eq!(wait(&attempts, "anna", "192.0.2.78", now - 1000), expect, "the clock was set back");
            now += i64::try_from(expect).unwrap();
            assert_eq!(wait(&attempts, "anna", "192.0.2.79", now), 0);
        }
        assert_eq!(wait(&attempts, "bob", "192.0.2.77", now), 0, "each person for themselves");
        assert!((0..5).all(|_| wait(&attempts, "anna", "192.0.2.80", now + 3600) == 0), "nothing is held against anybody for ever");
    }

    #[test]
    fn who_tries_many_people_waits_as_well() {
        let attempts = Attempts::default();
        assert!((0..20).all(|number| wait(&attempts, &format!("p{number}"), &format!("2001:db8::{number}"), 0) == 0));
        assert_eq!(wait(&attempts, "p20", "2001:db8::ffff:1", 0), 1, "all of a network are one");
        assert_eq!(wait(&attempts, "p20", "2001:db8:0:1::1", 0), 0);
    }

    #[test]
    fn a_log_in_clears_the_person_and_not_the_place() {
        let attempts = Attempts::default();
        let here = "192.0.2.1";
        for number in 0..19 {
            assert_eq!(wait(&attempts, &format!("p{number}"), here, 0), 0);
        }
        for _ in 0..4 {
            attempts.begin("anna", from(here), at(0)).unwrap().succeeded();
        }
        assert_eq!(wait(&attempts, "p19", here, 0), 0);
        assert_eq!(wait(&attempts, "anna", here, 0), 1, "their own log-ins undo no failures of others");
        let other = "198.51.100.1";
        assert!((0..4).all(|_| wait(&attempts, "bob", other, 0) == 0));
        attempts.begin("bob", from(other), at(0)).unwrap().succeeded();
        assert!((0..5).all(|_| wait(&attempts, "bob", other, 0) == 0), "they were who they said");
        attempts.begin("cleo", from(other), at(0)).unwrap().not_made();
        assert!((0..5).all(|_| wait(&attempts, "cleo", "203.0.113.1", 0) == 0));
    }

    #[test]
    fn as_many_at_once_are_no_way_round_and_the_memory_is_bounded() {
        let attempts = Attempts::default();
        let under_way: Vec<_> = (0..10).map(|_| attempts.begin("anna", from("192.0.2.1"), at(0))).collect();
        assert_eq!(under_way.iter().filter(|begun| begun.is_ok()).count(), 5);
        for number in 0..limits::LOGINS_KNOWN + 50 {
            let [_, _, high, low] = u32::try_from(number).unwrap().to_be_bytes();
            wait(&attempts, &format!("p{number}"), &format!("10.0.{high}.{low}"), 1 + i64::from(high));
        }
        assert!(attempts.lock().len() <= limits::LOGINS_KNOWN);
    }
}
