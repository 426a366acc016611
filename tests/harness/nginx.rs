//! An nginx of its own: one TLS site on loopback, its prefix in the scratch folder.

use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::Command;

use rustix::process::Signal;

use super::daemon::{As, Daemon, bound_to_test};
use super::{Scratch, eventually, find_program, free_port, run};

pub struct Nginx {
    pub port: u16,
    pub prefix: PathBuf,
    pub conf: PathBuf,
    /// The one file that it reads key, certificate and chain from.
    pub bundle: PathBuf,
    daemon: Daemon,
    _scratch: Scratch,
}

impl Nginx {
    /// `issue` writes the first bundle.
    pub fn start(domain: &str, issue: impl FnOnce(&Path)) -> Nginx {
        let scratch = Scratch::new();
        let prefix = scratch.folder("prefix");
        std::fs::create_dir_all(prefix.join("temp")).expect("a folder");
        let bundle = prefix.join("site.pem");
        issue(&bundle);
        let port = free_port();
        let conf = prefix.join("nginx.conf");
        std::fs::write(&conf, configuration(domain, port)).expect("the configuration");
        let mut server = bound_to_test("nginx", As::Us);
        server.arg("-p").arg(&prefix).arg("-c").arg(&conf).args(["-e", "stderr", "-g", "daemon off;"]);
        let mut daemon = Daemon::start(server, Signal::TERM, &scratch.join("nginx.log"));
        eventually("a connection to nginx", || {
            daemon.assert_running();
            TcpStream::connect(("127.0.0.1", port)).ok()
        });
        Nginx { port, prefix, conf, bundle, daemon, _scratch: scratch }
    }

    /// SHA-256 of the certificate that a client gets now, without judging it.
    pub fn served_fingerprint(&self) -> String {
        let openssl = find_program("openssl");
        let script = r#""$0" s_client -connect "127.0.0.1:$1" < /dev/null 2> /dev/null | "$0" x509 -noout -fingerprint -sha256"#;
        run(Command::new("sh").args(["-c", script]).arg(openssl).arg(self.port.to_string())).trim().to_owned()
    }

    /// Looks until when the certificate is good that a client gets: seconds since 1970, where there is any.
    pub fn looks_until(&self) -> impl Fn() -> Option<u64> + Send + use<> {
        let (openssl, port) = (find_program("openssl"), self.port.to_string());
        let script = r#"date -u -d "$("$0" s_client -connect "127.0.0.1:$1" < /dev/null 2> /dev/null | "$0" x509 -noout -enddate | cut -d = -f 2)" +%s"#;
        move || {
            let output = Command::new("sh").args(["-c", script]).arg(&openssl).arg(&port).output().ok()?;
            String::from_utf8(output.stdout).ok()?.trim().parse().ok()
        }
    }

    pub fn log(&self) -> String {
        self.daemon.log()
    }
}

fn configuration(domain: &str, port: u16) -> String {
    format!(
        "worker_processes 1;
pid nginx.pid;
events {{ worker_connections 64; }}
http {{
  access_log off;
  client_body_temp_path temp/body;
  proxy_temp_path temp/proxy;
  fastcgi_temp_path temp/fastcgi;
  uwsgi_temp_path temp/uwsgi;
  scgi_temp_path temp/scgi;
  server {{
    listen 127.0.0.1:{port} ssl;
    server_name {domain};
    ssl_certificate site.pem;
    ssl_certificate_key site.pem;
    location / {{ return 200 'well'; }}
  }}
}}
"
    )
}
