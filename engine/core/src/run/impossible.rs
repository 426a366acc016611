//! What cannot begin on any machine, since no program and no server can be given it. It is told before anything starts, in a prediction
//! as in a run; what only the machine knows (a program that is not there, a folder, a secret) is for the action to tell.

use std::collections::BTreeMap;

use crate::limits;
use crate::policy::ChannelSpec;

use super::task::{EnvText, HttpTask, Task, Work};

impl Work {
    /// Why no attempt at it can begin. What a prediction does not know may be anything.
    pub(super) fn impossible(&self, channels: &BTreeMap<String, ChannelSpec>) -> Option<String> {
        self.judged(channels).err()
    }

    fn judged(&self, channels: &BTreeMap<String, ChannelSpec>) -> Result<(), String> {
        let no_values = BTreeMap::new();
        let values = match &self.task {
            Task::Run { script, values, .. } => {
                if script.contains('\0') {
                    return Err("the script holds a NUL byte, which no shell reads; remove it".to_owned());
                }
                values
            }
            Task::Exec { argv } => {
                if argv.first().is_none_or(String::is_empty) {
                    return Err("the name of the program is empty; write it as the first argument of `exec`".to_owned());
                }
                argv.iter().filter(|argument| is_known(argument)).try_for_each(|argument| fits("an argument", argument, 0))?;
                &no_values
            }
            Task::Http(http) => return request(http),
            Task::Notify { to, .. } if !to.iter().any(|name| channels.contains_key(name)) => {
                let names: Vec<String> = to.iter().map(|name| format!("`{}`", name.escape_debug())).collect();
                return Err(format!("the workspace has no channel {}; add it under `channels`", names.join(", ")));
            }
            Task::Rhai { .. } | Task::Notify { .. } | Task::Event(_) => return Ok(()),
        };
        let declared = self.env.iter().filter_map(|(name, text)| match text {
            EnvText::Plain(text) => Some((name, text)),
            EnvText::Secret(_) => None,
        });
        for (name, text) in declared.chain(values).filter(|(_, text)| is_known(text)) {
            fits(&format!("the variable `{name}`"), text, name.len() + 1)?;
        }
        match self.dir.as_deref().filter(|dir| is_known(dir)) {
            Some(dir) if dir.contains('\0') => {
                Err("the working directory holds a NUL byte, which no path can; correct `dir`".to_owned())
            }
            Some(dir) if leads_out(dir) => Err(format!(
                "the working directory `{}` leads out of the catalogue; write a folder beneath it, or an absolute path",
                dir.escape_debug()
            )),
            _ => Ok(()),
        }
    }
}

fn request(http: &HttpTask) -> Result<(), String> {
    if is_known(&http.url) {
        address(&http.url)?;
    }
    for (name, text) in &http.headers {
        if let EnvText::Plain(text) = text
            && text.bytes().any(|byte| byte.is_ascii_control() && byte != b'\t')
        {
            return Err(format!("the value of the header `{name}` holds a line end or control character, which no header can"));
        }
    }
    Ok(())
}

/// Whether something is spoken that we speak, at a port that there can be.
fn address(url: &str) -> Result<(), String> {
    let Some((scheme, rest)) = url.split_once(':') else {
        return Err("the URL is not one: it has no scheme; correct `url`".to_owned());
    };
    if !["http", "https"].iter().any(|known| scheme.eq_ignore_ascii_case(known)) {
        return Err(format!("the URL begins with `{}:`; only http and https are spoken here", scheme.escape_debug()));
    }
    let authority = rest.trim_start_matches('/').split(['/', '?', '#', '\\']).next().unwrap_or_default();
    let host = authority.rsplit('@').next().unwrap_or_default();
    let port = match host.rsplit_once(']') {
        Some((_, behind)) => behind.strip_prefix(':'),
        None => host.split_once(':').map(|(_, port)| port),
    };
    match port {
        Some(port) if !port.is_empty() && port.parse::<u16>().is_err() => {
            Err(format!("the URL is not one: `{}` is no port; correct `url`", port.escape_debug()))
        }
        _ => Ok(()),
    }
}

/// Refuses what the kernel cannot carry, by name.
pub fn fits(what: &str, value: &str, beside: usize) -> Result<(), String> {
    if value.contains('\0') {
        return Err(format!("{what} holds a NUL byte, which no argument or environment variable can carry"));
    }
    let bytes = value.len() + beside;
    if bytes >= limits::ARGUMENT_BYTES {
        let most = limits::ARGUMENT_BYTES - 1;
        return Err(format!("{what} takes {bytes} bytes and a program takes at most {most}; pass it in a file"));
    }
    Ok(())
}

/// Whether a relative path leaves the folder that it starts in, links aside.
pub fn leads_out(path: &str) -> bool {
    let mut depth = 0i64;
    !path.starts_with('/')
        && path.split('/').any(|part| {
            depth += match part {
                "" | "." => 0,
                ".." => -1,
                _ => 1,
            };
            depth < 0
        })
}

/// A text of a prediction holds `‹name›` where a value is not known.
fn is_known(text: &str) -> bool {
    !text.contains('‹')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_leads_out_where_it_ever_stands_above_its_beginning() {
        for (path, out) in [
            ("a/b", false),
            ("./a/../b", false),
            ("a/..", false),
            ("..", true),
            ("a/../../a", true),
            ("../a", true),
            ("/..", false),
            ("..a/b", false),
        ] {
            assert_eq!(leads_out(path), out, "{path}");
        }
    }

    #[test]
    fn an_address_is_judged_by_its_scheme_and_its_port() {
        for url in [
            "http://h",
            "HTTPS://h/x:99999",
            "http://h:80/x",
            "http://h:/",
            "http://[::1]:80",
            "http://[::1]",
            "http://u:p@h:1/",
            "http://h/?a=b:99999",
        ] {
            assert_eq!(address(url), Ok(()), "{url}");
        }
        for (url, why) in
            [("ftp://h", "`ftp:`"), ("h", "no scheme"), ("http://h:99999/", "`99999` is no port"), ("http://[::1]:x", "`x`")]
        {
            assert!(address(url).unwrap_err().contains(why), "{url}");
        }
    }
}
