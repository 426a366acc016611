//! Every code, once: its severity and title here, its page in `diagnostic/RB####.md`.

use super::Severity;

macro_rules! codes {
    ($($code:ident $severity:ident $title:literal;)*) => {
        /// What kind of fault a diagnostic is about.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum Code { $($code),* }

        impl Code {
            pub const ALL: &'static [Code] = &[$(Code::$code),*];

            pub fn as_str(self) -> &'static str {
                match self { $(Code::$code => stringify!($code)),* }
            }

            pub fn severity(self) -> Severity {
                match self { $(Code::$code => Severity::$severity),* }
            }

            pub fn title(self) -> &'static str {
                match self { $(Code::$code => $title),* }
            }
        }

        /// The page behind a code, in Markdown.
        pub fn explain(code: Code) -> &'static str {
            match code { $(Code::$code => include_str!(concat!(stringify!($code), ".md"))),* }
        }
    };
}

codes! {
    RB0001 Error "the file is not YAML";
}
