//! One self-contained page: its own small style, light and dark and for the printer, no script, nothing fetched. A strict policy in its
//! head lets a browser run and load nothing at all, so that even a fault of the escaping could only show.

use unicode_width::UnicodeWidthStr;

use super::plain::{line, plain};
use super::prose;

/// How a page looks, with the digest by which its policy knows that.
pub struct Style {
    css: &'static str,
    digest: &'static str,
}

/// Of a page to be read: light, dark, and on paper.
pub(super) const PAGE: Style =
    Style { css: include_str!("html/page.css"), digest: "sha256-YUbSFMC1FdiiERsS/hHQ5tt/kkVIJowT1DiFSz0brlQ=" };

/// The style of pages to be read, for a page that holds a part of such a one.
pub const STYLE: &str = PAGE.css;

/// Of a sheet to be printed and written on.
pub(super) const SHEET: Style =
    Style { css: include_str!("html/sheet.css"), digest: "sha256-FA2/WzaAuzFHB7lZmExHz12u91hhkTYyuwVbYBp8g8s=" };

/// A text on one line, for the content of an element or a quoted attribute.
pub fn text(text: &str) -> String {
    escaped(&line(text))
}

/// A text of any number of lines, for an element that keeps them (`pre`).
pub fn lines(text: &str) -> String {
    escaped(&plain(text))
}

/// As [`text`], with what stands between backticks as code, as messages of this program write it.
pub fn prose(text: &str) -> String {
    prose::line_in_html(&prose::message(text))
}

/// A text on one line, as code that does not break at a hyphen.
pub fn code(text: &str) -> String {
    format!("<code>{}</code>", words(&line(text), INLINE_WORD_COLUMNS))
}

/// A text of any number of lines as a block of code. Where a line is too long for the paper it goes on further in, and never breaks at a
/// hyphen, which would read as two words.
pub fn block(text: &str) -> String {
    let shown = plain(text.strip_suffix('\n').unwrap_or(text));
    let row = |row: &str| format!("<span class=\"row\">{}\n</span>", words(row, WORD_COLUMNS));
    format!("<pre><code>{}</code></pre>\n", shown.split('\n').map(row).collect::<String>())
}

/// A word that is longer may break anywhere: in a block, and in a line, which a telephone shows too.
const WORD_COLUMNS: usize = 48;
const INLINE_WORD_COLUMNS: usize = 24;

/// Code whose words stay in one piece where they have a hyphen, at which a browser would break them.
fn words(code: &str, columns: usize) -> String {
    let word = |word: &str| {
        let whole = word.trim_end_matches([' ', '\t']);
        // The space stands behind it: within, no line could end between two such words.
        match whole.contains('-') && whole.width() <= columns {
            true => format!("<span class=\"word\">{}</span>{}", escaped(whole), &word[whole.len()..]),
            false => escaped(word),
        }
    };
    code.split_inclusive([' ', '\t']).map(word).collect()
}

/// A block that is folded until somebody opens it, and open on paper. `summary` is a text; `body` is HTML.
pub fn details(summary: &str, body: &str) -> String {
    format!("<details><summary>{}</summary>\n{body}</details>\n", text(summary))
}

/// A link to a page of the web or a place of this one; anything else is the text alone.
pub fn link(text: &str, url: &str) -> String {
    match is_web(url) {
        true => format!("<a href=\"{}\" rel=\"noreferrer\">{}</a>", self::text(url), self::text(text)),
        false => self::text(text),
    }
}

/// A table: its head and its rows, each cell a piece of HTML.
pub fn table(head: &[&str], rows: &[Vec<String>]) -> String {
    let head: String = head.iter().map(|cell| format!("<th scope=\"col\">{}</th>", text(cell))).collect();
    let row = |cells: &Vec<String>| format!("<tr>{}</tr>\n", cells.iter().map(|c| format!("<td>{c}</td>")).collect::<String>());
    format!(
        "<div class=\"wide\"><table>\n<thead><tr>{head}</tr></thead>\n<tbody>\n{}</tbody>\n</table></div>\n",
        rows.iter().map(row).collect::<String>()
    )
}

/// The whole page around `body`, which is HTML.
pub fn page(title: &str, body: &str) -> String {
    page_in(&PAGE, "runbook", title, body)
}

/// What a page says of its writer, a word of ours, on a line of its own.
pub(super) fn generator(writer: &str) -> String {
    format!("<meta name=\"generator\" content=\"{writer}\">")
}

/// What a browser is told of a [`page`] by whoever serves it: what the page says itself, and that no page of others holds it.
pub fn policy() -> String {
    format!("{}; frame-ancestors 'none'", policy_of(&PAGE))
}

fn policy_of(style: &Style) -> String {
    format!("default-src 'none'; style-src '{}'; base-uri 'none'; form-action 'none'", style.digest)
}

pub(super) fn page_in(style: &Style, writer: &str, title: &str, body: &str) -> String {
    let (generator, policy, css) = (generator(writer), policy_of(style), style.css);
    format!(
        "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
         <meta http-equiv=\"Content-Security-Policy\" content=\"{policy}\">\n\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n<meta name=\"referrer\" content=\"no-referrer\">\n{generator}\n\
         <title>{}</title>\n<style>{css}</style>\n</head>\n<body>\n<main>\n{body}</main>\n</body>\n</html>\n",
        text(title)
    )
}

/// Whether a link may lead there: to the web, to a mailbox or to a place of the same page.
pub(super) fn is_web(url: &str) -> bool {
    let leads = |scheme: &&str| url.get(..scheme.len()).is_some_and(|head| head.eq_ignore_ascii_case(scheme));
    ["https://", "http://", "mailto:", "#"].iter().any(leads) && !url.contains(char::is_whitespace)
}

fn escaped(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len() + 16);
    for c in text.chars() {
        match c {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            '\'' => escaped.push_str("&#39;"),
            '`' => escaped.push_str("&#96;"),
            c => escaped.push(c),
        }
    }
    escaped
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_length_of_a_word_is_what_is_seen_of_it() {
        for (word, is_whole) in [
            ("ä-".repeat(11), true),
            ("a-".repeat(12), true),
            ("a-".repeat(13), false),
            ("界-".repeat(8), true),
            ("界-".repeat(9), false),
        ] {
            assert_eq!(code(&word).contains("class=\"word\""), is_whole, "{word}");
        }
    }

    #[test]
    fn a_text_is_content_and_nothing_else() {
        for (hostile, shown) in [
            ("plain text, näïve 漢字 🙂", "plain text, näïve 漢字 🙂"),
            ("</script><script>alert(1)</script>", "&lt;/script&gt;&lt;script&gt;alert(1)&lt;/script&gt;"),
            ("\" onload=\"alert(1)", "&quot; onload=&quot;alert(1)"),
            ("' onload='x' `y`", "&#39; onload=&#39;x&#39; &#96;y&#96;"),
            ("<!-- & -->", "&lt;!-- &amp; --&gt;"),
            ("&lt;", "&amp;lt;"),
            ("a\nb\tc\x1b[31m\0", "a\\nb\\tc\\x1b[31m\\x00"),
            ("safe\u{202e}txt\u{200b}", "safe\\u{202e}txt\\u{200b}"),
        ] {
            assert_eq!(text(hostile), shown, "{hostile:?}");
        }
        assert_eq!(prose("`<a>` & `b`"), "<code>&lt;a&gt;</code> &amp; <code>b</code>");
        assert_eq!(
            code("ls -l <a-word-that-is-longer-than-a-line>"),
            "<code>ls <span class=\"word\">-l</span> &lt;a-word-that-is-longer-than-a-line&gt;</code>"
        );
        assert_eq!(prose("an odd ` <b>"), "an odd &#96; &lt;b&gt;");
        assert_eq!(
            block("a\n\t</pre>\r\n"),
            "<pre><code><span class=\"row\">a\n</span><span class=\"row\">\t&lt;/pre&gt;\\r\n</span></code></pre>\n"
        );
    }

    #[test]
    fn a_link_leads_to_the_web_alone() {
        for (url, leads) in [
            ("https://y.org/?a=1&b=%22", true),
            ("HTTP://y.org", true),
            ("mailto:a@y.org", true),
            ("#step-1", true),
            ("javascript:alert(1)", false),
            (" javascript:alert(1)", false),
            ("java\nscript:alert(1)", false),
            ("data:text/html,x", false),
            ("//y.org", false),
            ("vbscript:x", false),
            ("https://y.org/ x", false),
            ("", false),
        ] {
            assert_eq!(link("x", url).starts_with("<a href="), leads, "{url:?}");
        }
        assert_eq!(link("<x>", "#a\"b"), "<a href=\"#a&quot;b\" rel=\"noreferrer\">&lt;x&gt;</a>");
    }

    #[test]
    fn a_page_needs_nothing_and_runs_nothing() {
        let page = page("<a & b>", &details("</summary>", &table(&["<h>"], &[vec![code("<c>")]])));
        assert!(page.contains("<title>&lt;a &amp; b&gt;</title>"), "{page}");
        assert!(page.contains("<summary>&lt;/summary&gt;</summary>"), "{page}");
        assert!(page.contains("<th scope=\"col\">&lt;h&gt;</th>") && page.contains("<td><code>&lt;c&gt;</code></td>"), "{page}");
        for never in ["<script", "src=", "url(", "@import", "unsafe-inline", "style="] {
            assert!(!page.contains(never), "{never}");
        }
        for (before, after) in [("<head>", "Content-Security-Policy"), ("Content-Security-Policy", "<style>")] {
            assert!(page.find(before) < page.find(after), "{before} stands before {after}");
        }
    }

    #[test]
    fn the_policy_knows_the_style() {
        use sha2::{Digest, Sha256};
        for Style { css, digest } in [&PAGE, &SHEET] {
            assert_eq!(*digest, format!("sha256-{}", base64(&Sha256::digest(css))));
        }
    }

    fn base64(bytes: &[u8]) -> String {
        let alphabet = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
        let group = |chunk: &[u8]| {
            let number = (0..3).fold(0_u32, |sum, place| (sum << 8) | u32::from(chunk.get(place).copied().unwrap_or(0)));
            let sign = |place: u32| match place as usize > chunk.len() {
                true => '=',
                false => char::from(alphabet[(number >> (18 - 6 * place)) as usize & 63]),
            };
            (0..4).map(sign).collect::<String>()
        };
        bytes.chunks(3).map(group).collect()
    }
}
