//! The server as senders and operators meet it: the real program, over real sockets, killed and started again.

mod acknowledged;
mod api;
mod awaited;
mod certificates;
mod channels;
mod deadlines;
mod described;
mod doors;
mod followed;
#[path = "../harness/mod.rs"]
mod harness;
mod hostile;
mod inlets;
mod intake;
mod lives;
mod oidc;
mod pages;
mod peers;
mod playbooks;
mod remote;
mod run_pages;
mod server;
mod sessions;
mod storm;
mod streams;
mod ticks;
mod traces;
