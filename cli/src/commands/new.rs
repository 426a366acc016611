//! `runbook new`: a procedure to start from, out of a template or out of what somebody wrote down or typed before.

mod templates;

use std::io::Read;
use std::path::Path;

use runbook_core::id::ProcedureName;
use runbook_core::limits;
use runbook_engine::catalogue::Catalogue;
use runbook_engine::draft::{self, Commands, Draft, Undrafted, Wanted};

use super::schema;
use crate::args::{Kind, New};
use crate::commands::init::write_new;
use crate::exit::{Exit, Outcome, Trouble};
use crate::settings::Settings;
use crate::ui::Ui;
use crate::ui::words::{count, shell_word};
use templates::Template;

pub fn run(args: &New, settings: &Settings, ui: &mut Ui) -> Outcome {
    let Some(name) = args.name.as_ref().filter(|_| !args.list) else {
        for template in templates::ALL {
            ui.data(&format!("{:13} {}", template.name, template.purpose))?;
        }
        ui.next("runbook new NAME --template TEMPLATE");
        return Ok(Exit::Succeeded);
    };
    match &args.from {
        Some(from) => from_source(name, from, args, settings, ui),
        None => from_template(name, template(args)?, settings, ui),
    }
}

fn template(args: &New) -> Result<&'static Template, Trouble> {
    let name = args.template.as_deref().unwrap_or(match args.kind {
        None | Some(Kind::Runbook) => "runbook",
        Some(Kind::Playbook) => "playbook",
    });
    templates::named(name).ok_or_else(|| Trouble::not_valid(format!("there is no template `{name}`")).next("runbook new --list"))
}

fn from_template(name: &ProcedureName, template: &Template, settings: &Settings, ui: &mut Ui) -> Outcome {
    let root = &settings.catalogue.value;
    let catalogue = Catalogue::open(root)?;
    let escalation = catalogue.workspace().and_then(|workspace| workspace.escalations.keys().next());
    let source = catalogue.workspace().and_then(|workspace| workspace.sources.keys().next());
    let filled = |text: &str| {
        let escalation = escalation.map_or("default", String::as_str);
        // Events that people give to `runbook trigger` need no declaration.
        let source = source.map_or("stdin", String::as_str);
        let text = text.replace("NAME", name.as_str()).replace("ESCALATION", escalation).replace("SOURCE", source);
        schema::modeline(root) + &text
    };
    write(&root.join(format!("{name}.yaml")), &filled(template.procedure), ui)?;
    let test = root.join(format!("{name}.test.yaml"));
    if write_new(&test, &filled(template.test))? {
        ui.say(&format!("wrote {}", test.display()));
    }
    if template.is_playbook() && catalogue.workspace().is_some() && escalation.is_none() {
        ui.say("a playbook says whom to ask next: add an escalation to workspace.yaml, and name it in the file");
    }
    ui.next(&format!("runbook test {name}"));
    Ok(Exit::Succeeded)
}

fn from_source(name: &ProcedureName, from: &Path, args: &New, settings: &Settings, ui: &mut Ui) -> Outcome {
    let root = &settings.catalogue.value;
    let (bytes, called) = read(from)?;
    let is_markdown = from.extension().is_some_and(|e| e.eq_ignore_ascii_case("md") || e.eq_ignore_ascii_case("markdown"));
    let refused = |why: Undrafted| {
        let trouble = Trouble::not_valid(format!("nothing can be drafted from {}: {why}", from.display()));
        match why {
            Undrafted::TooLong { .. } | Undrafted::TooManyCommands { .. } if !is_markdown => {
                trouble.next(format!("runbook new {name} --from {} --last 20", shell_word(&from.to_string_lossy())))
            }
            Undrafted::Beyond(_)
            | Undrafted::TooLarge { .. }
            | Undrafted::TooLong { .. }
            | Undrafted::TooLongAText
            | Undrafted::TooManySecrets => trouble.next("draft it in parts"),
            _ => trouble.next("runbook new --list"),
        }
    };
    let draft = if is_markdown || draft::is_markdown(&bytes) {
        if args.last.is_some() || args.since.is_some() {
            return Err(Trouble::not_valid(format!("{} is a Markdown runbook: all of it is taken", from.display()))
                .next("leave --last and --since away"));
        }
        draft::from_markdown(name, &called, &bytes)
    } else {
        let wanted = Wanted { last: args.last.map(Into::into), since: args.since.as_deref() };
        Commands::read(&bytes, wanted).and_then(|commands| draft::from_history(name, &called, &commands))
    }
    .map_err(refused)?;
    write(&root.join(format!("{name}.yaml")), &(schema::modeline(root) + &draft.text), ui)?;
    told(&draft, ui);
    ui.next(&format!("runbook check {name}"));
    Ok(Exit::Succeeded)
}

/// What a person has to do with a draft.
fn told(draft: &Draft, ui: &mut Ui) {
    let open = count(draft.open as u64, "step", "steps");
    ui.say(&format!("{open} to be confirmed: each counts as a change until you say what it is, and a run asks a person first"));
    if !draft.inputs.is_empty() {
        ui.say(&format!("what the source leaves open is an input: {}", draft.inputs.join(", ")));
    }
    if !draft.secrets.is_empty() {
        ui.say(&format!(
            "what looked like a secret was not written: {}; say in the file where each comes from",
            draft.secrets.join(", ")
        ));
    } else if draft.left_out > 0 {
        ui.say("what looked like a secret was not written");
    }
}

/// The bytes of a source, one more than any may have at most, and what it is called in the draft.
fn read(from: &Path) -> Result<(Vec<u8>, String), Trouble> {
    let mut bytes = Vec::new();
    let most = limits::HISTORY_BYTES as u64 + 1;
    let unreadable = |why: std::io::Error| {
        Trouble::not_valid(format!("cannot read {}: {why}", from.display())).next("name a file that can be read, or `-`")
    };
    if from.as_os_str() == "-" {
        std::io::stdin().take(most).read_to_end(&mut bytes).map_err(unreadable)?;
        return Ok((bytes, "what was given on standard input".to_owned()));
    }
    std::fs::File::open(from).and_then(|file| file.take(most).read_to_end(&mut bytes)).map_err(unreadable)?;
    let name: String =
        from.file_name().map(|name| name.to_string_lossy().chars().filter(|c| !c.is_control()).collect()).unwrap_or_default();
    Ok((bytes, format!("`{name}`")))
}

fn write(path: &Path, text: &str, ui: &mut Ui) -> Result<(), Trouble> {
    if !write_new(path, text)? {
        return Err(Trouble::not_valid(format!("{} is there already", path.display())).next("give the procedure another name"));
    }
    ui.say(&format!("wrote {}", path.display()));
    Ok(())
}
