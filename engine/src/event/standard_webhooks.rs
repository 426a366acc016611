//! Standard Webhooks: `webhook-id` names the event, and the body has by convention `type`, `timestamp` and `data`. Of its signatures `v1`
//! (a shared secret) is judged; `v1a` (Ed25519) is passed over.

use runbook_core::CloudEvent;
use runbook_core::cloud_event::Status;
use runbook_core::value::{Map, Value};

use super::{Here, Refusal, part};

pub(super) fn decode(here: &Here, body: Value) -> Result<Vec<CloudEvent>, Refusal> {
    let missing = || Refusal::malformed("the delivery has no `webhook-id`");
    let id = here.header("webhook-id")?.filter(|id| !id.is_empty()).ok_or_else(missing)?.to_owned();
    let about = part::name(&body, &["data", "id"]);
    Ok(vec![CloudEvent {
        source: here.source(),
        kind: part::text(&body, &["type"]).map_or_else(|| here.name.to_owned(), part::clipped),
        subject: about.as_deref().map(part::clipped),
        time: part::time(&body, &["timestamp"]),
        key: part::bounded(about.unwrap_or_else(|| id.clone())),
        id: part::bounded(id),
        data: body,
        extensions: Map::new(),
        status: Status::Once,
    }])
}
