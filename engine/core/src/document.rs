//! Documents as they were written: the YAML kinds with a span on everything, before any meaning is checked.
//!
//! Loading never stops at the first fault: it returns what could be read and all diagnostics. What a document says
//! about other documents (calls, groups, channels) and whether its names exist is for [`check`](crate::check).

pub(crate) mod decode;
pub mod input;
pub mod must;
pub mod procedure;
pub mod step;
pub mod test;
pub mod workspace;
pub mod yaml;

use crate::diagnostic::{Diagnostics, Source};
use crate::value::Value;

pub(crate) use decode::scalar::clipped;
pub use input::{Input, InputType};
pub use procedure::{Procedure, ProcedureKind};
pub use step::{Step, Verb};
pub use workspace::Workspace;
pub use yaml::{Node, NodeKind, Places, Scalar, ScalarStyle};

/// One file, read.
#[derive(Clone, Debug)]
pub enum Document {
    Procedure(Box<Procedure>),
    Workspace(Box<Workspace>),
    Test(Box<test::Test>),
}

/// Reads one file. The document is absent where the faults leave nothing to go on with, and partial where there are
/// errors: what could not be read is left out of it.
pub fn load(source: &Source) -> (Option<Document>, Diagnostics) {
    decode::document(source)
}

/// Reads the bytes of one file. The source is what spans refer to; of a file that is not UTF-8 it shows the wrong bytes
/// as replacement characters.
pub fn load_bytes(name: &str, bytes: &[u8]) -> (Source, Option<Document>, Diagnostics) {
    decode::bytes(name, bytes)
}

/// Reads a file that is plain data, in YAML or JSON: inputs, answers. Nothing in it is interpreted.
pub fn load_value(source: &Source) -> (Option<Value>, Diagnostics) {
    decode::value(source)
}
