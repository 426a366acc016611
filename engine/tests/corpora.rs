//! Every kept input of the fuzz targets again, without the fuzzer: what must hold of it is said in `fuzz/src`.

use std::path::PathBuf;

#[path = "../../fuzz/src/lib.rs"]
mod targets;

#[test]
fn every_kept_input_holds() {
    let corpora = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../fuzz/corpus");
    let all = [
        ("loader", targets::loader as fn(&[u8])),
        ("expressions", targets::expressions),
        ("text", targets::text),
        ("shell", targets::shell),
        ("inputs", targets::inputs),
        ("journal", targets::records::journal),
        ("export", targets::records::export),
        ("drafts", targets::drafts),
        ("events", targets::events::events),
    ];
    for (name, target) in all {
        let inputs: Vec<PathBuf> = std::fs::read_dir(corpora.join(name)).unwrap().map(|entry| entry.unwrap().path()).collect();
        assert!(inputs.len() >= 7, "{name}: {}", inputs.len());
        for input in inputs {
            target(&std::fs::read(&input).unwrap());
        }
    }
}
