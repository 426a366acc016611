//! A real browser without a window, and the paper it prints on. It is told to load one page and ends by itself.

use std::path::{Path, PathBuf};
use std::process::Command;

use super::{Scratch, find_program, run};

/// A browser with a profile of its own.
pub struct Browser {
    scratch: Scratch,
}

impl Browser {
    pub fn new() -> Browser {
        Browser { scratch: Scratch::new() }
    }

    pub(super) fn command(&self) -> Command {
        let mut command = Command::new(find_program("chromium"));
        super::program::plain(&mut command, self.scratch.path());
        command.args(["--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--no-first-run"]);
        command.args(["--disable-background-networking", "--disable-component-update", "--password-store=basic"]);
        command.arg(format!("--user-data-dir={}", self.scratch.join("profile").display()));
        command
    }

    /// The document as it stands once the page has loaded and its time has passed.
    pub fn document(&self, page: &Path) -> String {
        run(self.command().args(["--virtual-time-budget=3000", "--timeout=10000", "--dump-dom"]).arg(address(page)))
    }

    /// How wide the content of a page is in a window of this width, in pixels. The page has no policy: a script asks.
    pub fn content_width(&self, page: &str, window: u32) -> u32 {
        // No window is as narrow as a telephone; a frame is.
        let inside = page.replace('&', "&amp;").replace('"', "&quot;");
        let asks = "document.title = 'wide ' + f.contentDocument.scrollingElement.scrollWidth + ' px'";
        let frame =
            format!("<iframe id=\"f\" width=\"{window}\" height=\"800\" frameborder=\"0\" srcdoc=\"{inside}\" onload=\"{asks}\">");
        let around = self.scratch.join("around.html");
        std::fs::write(&around, format!("<!doctype html><html><body>{frame}</iframe></body></html>")).expect("a page");
        let document = self.document(&around);
        let told = document.split_once("<title>wide ").and_then(|(_, rest)| rest.split_once(" px"));
        told.and_then(|(wide, _)| wide.parse().ok()).unwrap_or_else(|| panic!("nothing was told:\n{document}"))
    }

    /// The page on paper.
    pub fn print(&self, page: &Path) -> Paper {
        let file = self.scratch.join(format!("{}.pdf", page.file_stem().unwrap_or_default().to_string_lossy()));
        run(self.command().arg("--no-pdf-header-footer").arg(format!("--print-to-pdf={}", file.display())).arg(address(page)));
        Paper { file }
    }
}

fn address(page: &Path) -> String {
    format!("file://{}", page.canonicalize().expect("a page").display())
}

/// Pages that were printed.
pub struct Paper {
    file: PathBuf,
}

impl Paper {
    /// Of `pdfinfo`: the words behind a name.
    pub fn fact(&self, name: &str) -> String {
        let facts = run(Command::new(find_program("pdfinfo")).arg(&self.file));
        let found = facts.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':'));
        found.unwrap_or_else(|| panic!("no {name} in\n{facts}")).trim().to_owned()
    }

    /// Of each row of the first page, in hundredths of an inch, whether there is ink where the ink of the page ends to the right.
    pub fn right_edge(&self) -> Vec<bool> {
        let root = self.file.with_extension("");
        let drawn = ["-gray", "-r", "100", "-singlefile", "-f", "1", "-l", "1"];
        run(Command::new(find_program("pdftoppm")).args(drawn).arg(&self.file).arg(&root));
        let picture = std::fs::read(root.with_extension("pgm")).expect("a picture");
        // A name, the size and the greatest value, a line each, and then a byte for each point.
        let mut parts = picture.splitn(4, |byte| *byte == b'\n');
        let size = String::from_utf8_lossy(parts.nth(1).expect("a size")).into_owned();
        let width: usize = size.split(' ').next().and_then(|width| width.parse().ok()).expect("a width");
        let rows: Vec<&[u8]> = parts.nth(1).expect("points").chunks_exact(width).collect();
        let is_ink = |point: &u8| *point < 240;
        let edge = rows.iter().filter_map(|row| row.iter().rposition(is_ink)).max().expect("ink");
        rows.iter().map(|row| row[edge - 3..=edge].iter().any(is_ink)).collect()
    }

    /// The text of each page, laid out as it is seen.
    pub fn pages(&self) -> Vec<String> {
        let text = run(Command::new(find_program("pdftotext")).args(["-layout", "-enc", "UTF-8"]).arg(&self.file).arg("-"));
        let mut pages: Vec<String> = text.split('\u{c}').map(str::to_owned).collect();
        // Each page ends with the sign.
        pages.pop();
        pages
    }
}
