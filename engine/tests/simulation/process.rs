//! A process as something that can be stopped and killed between any two of its awaits.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::time::Sleep;

use crate::disk::{Disk, Handle};
use crate::scenario::Blow;
use crate::world::World;

/// Polls what a process does until it ends, or until something strikes it.
pub struct Process<T> {
    work: Option<Pin<Box<dyn Future<Output = T> + Send>>>,
    handle: Arc<Handle>,
    disk: Arc<Disk>,
    world: Arc<World>,
    polls: u32,
    /// By the number of the poll.
    blows: Vec<(u32, Blow)>,
    frozen: Option<Pin<Box<Sleep>>>,
}

impl<T> Process<T> {
    pub fn new(
        work: impl Future<Output = T> + Send + 'static,
        handle: Arc<Handle>,
        disk: Arc<Disk>,
        world: Arc<World>,
        blows: Vec<(u32, Blow)>,
    ) -> Process<T> {
        Process { work: Some(Box::pin(work)), handle, disk, world, polls: 0, blows, frozen: None }
    }
}

/// Gives nothing where the process died.
impl<T> Future for Process<T> {
    type Output = Option<T>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<T>> {
        let this = &mut *self;
        if let Some(frozen) = &mut this.frozen
            && frozen.as_mut().poll(context).is_pending()
        {
            // A power cut comes to those who are frozen too, when they would go on.
            return Poll::Pending;
        }
        this.frozen = None;
        this.polls += 1;
        let blow = this.blows.iter().find(|(at, _)| *at == this.polls).map(|(_, blow)| *blow);
        match blow {
            Some(_) if this.handle.is_dead() => {}
            Some(Blow::Crash { keep, seen }) => {
                this.world.count("a crash");
                this.handle.die(keep, seen);
            }
            Some(Blow::PowerCut { kept }) => {
                this.world.count("a power cut");
                this.disk.cut_power(kept);
            }
            Some(Blow::Freeze(ms)) => {
                this.world.count("a frozen process");
                let mut frozen = Box::pin(tokio::time::sleep(Duration::from_millis(ms)));
                let _ = frozen.as_mut().poll(context);
                this.frozen = Some(frozen);
                return Poll::Pending;
            }
            None => {}
        }
        if this.handle.is_dead() {
            // Dropped only now: nothing that it does on its way out reaches the disk.
            this.work = None;
            return Poll::Ready(None);
        }
        let Some(work) = &mut this.work else { return Poll::Ready(None) };
        match work.as_mut().poll(context) {
            Poll::Pending => Poll::Pending,
            Poll::Ready(done) => {
                this.work = None;
                this.handle.retire();
                Poll::Ready(Some(done))
            }
        }
    }
}
