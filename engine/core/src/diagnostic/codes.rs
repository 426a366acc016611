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
    // Reading a file.
    RB0001 Error "the file is not YAML";
    RB0002 Error "something stands twice";
    RB0003 Error "the file is beyond a bound";
    RB0004 Error "a character that a reader cannot see";
    RB0005 Error "there are more faults than are shown";
    RB0006 Error "a part of YAML that has no meaning here";
    RB0007 Error "an alias without its anchor";
    RB0008 Error "an unknown version of the format";
    RB0009 Error "an unknown kind of document";
    RB0010 Error "an unknown key";
    RB0011 Error "a key is missing";
    RB0012 Error "a value of the wrong type";
    RB0013 Error "a word that is not one of the choices";
    RB0014 Error "not a name";
    RB0015 Error "not a duration";
    RB0016 Error "not a date";
    RB0017 Error "not a version";
    RB0018 Error "a value out of its bounds";
    RB0019 Error "nothing stands where something must";
    RB0020 Error "a step without a verb";
    RB0021 Error "a step with two verbs";
    RB0022 Error "code in a folded text";
    RB0023 Error "keys that do not go together";
    RB0024 Error "an input that contradicts itself";
    RB0025 Error "a pattern that is not a regular expression";
    RB0026 Error "the file is not UTF-8";

    // Names and types, structure, catalogue.
    RB0101 Error "a name that does not exist";
    RB0102 Error "an input that is not declared";
    RB0103 Error "a step that does not exist";
    RB0104 Error "an output that the step does not have";
    RB0105 Error "a step is read before it has run";
    RB0106 Error "a step is read where it cannot have run";
    RB0107 Warning "a step is read that may not have run";
    RB0108 Error "values of different types are compared";
    RB0109 Error "a field gives a value of the wrong type";
    RB0110 Error "a secret stands outside the environment";
    RB0111 Error "a secret that is not declared";
    RB0112 Error "an expression that cannot be read";
    RB0113 Error "a text that cannot be read";
    RB0114 Error "text in place of an expression";
    RB0115 Warning "an expression in place of text";
    RB0116 Error "data would become code";
    RB0118 Error "a name is not in scope here";
    RB0119 Error "a name that the language keeps for itself";
    RB0120 Error "a text without quotes in `env`";
    RB0121 Warning "text of what may be nothing";
    RB0201 Error "two steps have one id";
    RB0202 Error "a jump to nowhere";
    RB0203 Error "a jump backward";
    RB0204 Error "a jump into another list";
    RB0205 Error "a step that is never reached";
    RB0206 Warning "a change without a way back";
    RB0207 Warning "a loss without a way back";
    RB0208 Error "an effect lower than what is inside";
    RB0209 Error "a look that changes something";
    RB0210 Warning "a change is tried again";
    RB0211 Error "a part that is not built yet";
    RB0212 Error "a wait without an end";
    RB0213 Warning "a question without an end";
    RB0214 Error "a loop without an end";
    RB0215 Warning "a key without a meaning here";
    RB0216 Warning "a secret that nothing uses";
    RB0217 Warning "an input that nothing reads";
    RB0218 Error "a finish where nothing can be finished";
    RB0219 Error "a plan too large";
    RB0301 Error "a procedure that does not exist";
    RB0302 Error "a version that does not exist";
    RB0303 Error "a call without a version";
    RB0304 Error "a procedure calls itself";
    RB0305 Error "calls too deep";
    RB0306 Error "an input that the called procedure does not have";
    RB0307 Error "an input that the called procedure needs";
    RB0308 Error "an input of the wrong type";
    RB0310 Error "nobody of that name";
    RB0311 Error "a channel that does not exist";
    RB0312 Error "an escalation that does not exist";
    RB0313 Error "more approvals than people";
    RB0314 Error "nobody to escalate to";
    RB0315 Error "an environment that does not exist";
    RB0316 Warning "a review is overdue";
    RB0317 Error "a secret provider that does not exist";
    RB0318 Error "a test of a procedure that does not exist";
    RB0319 Warning "more approvals than the operator can give";
    RB0320 Error "an event source that does not exist";
    RB0321 Warning "an event source without a workspace";
    RB0322 Warning "a lock that the calling run does not take";
    RB0323 Error "a calendar that cannot be read";
    RB0324 Warning "a time at which nobody is on call";

    // The workspace.
    RB0401 Error "one user is two people";
    RB0402 Error "one name is two things";
    RB0403 Error "not a time zone";
    RB0404 Error "not a time";
    RB0405 Error "a window that never opens";
    RB0406 Error "not an SSH key";
    RB0407 Error "a part of the workspace without effect";
    RB0408 Error "a password in the clear";
    RB0409 Error "not the name of a certificate";
    RB0410 Error "two people stand in at the same time";
    RB0411 Error "a rotation that begins between two hand-overs";

    // Tests.
    RB0501 Error "an expectation does not hold";
    RB0502 Error "a case that cannot be played";

    // What an exploration finds.
    RB0601 Warning "a loss that nobody has approved";
    RB0602 Warning "a change that stays after a failure";
    RB0603 Warning "an undo without what it reads";
    RB0604 Warning "an end that nobody has looked at";
    RB0605 Warning "a step that no path comes to";
    RB0606 Warning "an approval that decides nothing";
    RB0607 Warning "two changes of the same at once";
    RB0608 Warning "a run that can wait for ever";
    RB0609 Warning "a failure that hides a change";
    RB0610 Error "a property that a path does not keep";
}
