//! Wakes whoever waits for something to look at. However often it rings meanwhile, they look once.

use std::sync::Arc;

use tokio::sync::Notify;

#[derive(Clone, Debug, Default)]
pub struct Bell(Arc<Notify>);

impl Bell {
    pub fn ring(&self) {
        self.0.notify_one();
    }

    /// Returns at once where it rang since the last time.
    pub async fn rung(&self) {
        self.0.notified().await;
    }
}
