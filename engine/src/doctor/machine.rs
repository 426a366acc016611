//! The machine and this process on it: who it is, what time it is there, and what it may use.

use runbook_core::limits;
use rustix::process::{Resource, getrlimit};

use super::Chart;
use crate::people;

pub(super) fn examine(chart: &mut Chart) {
    user(chart);
    clock(chart);
    files(chart);
}

fn user(chart: &mut Chart) {
    match people::local_user() {
        Ok(user) => {
            chart.ok("user", format!("`{}` on `{}`", user.user, user.host));
            if matches!(user.host.as_str(), "" | "localhost" | "(none)") {
                chart.warn(
                    "host",
                    format!("the machine calls itself `{}`, and records tell by that name where a run was driven", user.host),
                    "hostnamectl set-hostname NAME",
                );
            }
        }
        Err(why) => chart.fail_as("user", &why),
    }
}

/// Nothing was released before.
const EPOCH: i64 = 1_763_683_200;

fn clock(chart: &mut Chart) {
    let now = chart.now;
    if now.as_second() < EPOCH {
        return chart.fail("clock", format!("it shows {now}, which is in the past"), "timedatectl set-ntp true");
    }
    match is_kept_right() {
        Some(false) => chart.warn(
            "clock",
            format!("it shows {now}, and nothing keeps it right: deadlines and schedules go by it"),
            "timedatectl set-ntp true",
        ),
        Some(true) => chart.ok("clock", format!("it shows {now}, and is kept right")),
        None => chart.ok("clock", format!("it shows {now}; whether it is kept right is not to be known here")),
    }
}

/// Whether the kernel was told lately how far the clock is off.
fn is_kept_right() -> Option<bool> {
    // SAFETY: all-zero bytes are a `timex` that asks for no change.
    let mut asked: libc::timex = unsafe { std::mem::zeroed() };
    // SAFETY: the pointer is to memory of ours that outlives the call.
    let state = unsafe { libc::adjtimex(&mut asked) };
    (state >= 0).then_some(state != libc::TIME_ERROR && asked.status & libc::STA_UNSYNC == 0)
}

fn files(chart: &mut Chart) {
    let most = getrlimit(Resource::Nofile).current;
    match most {
        Some(most) if most < limits::OPEN_FILES => chart.warn(
            "files",
            format!("a process may have {most} files open; a server with many connections takes up to {}", limits::OPEN_FILES),
            format!("set LimitNOFILE={} in the unit, or `ulimit -n {}`", limits::OPEN_FILES, limits::OPEN_FILES),
        ),
        Some(most) => chart.ok("files", format!("a process may have {most} files open")),
        None => chart.ok("files", "a process may have any number of files open"),
    }
}
