//! `runbook man`: manual pages, made from the parser.

use clap::CommandFactory;
use clap_mangen::Man;

use crate::args::{self, Cli};
use crate::exit::{Exit, Outcome, Trouble};
use crate::ui::Ui;

pub fn run(args: &args::Man, ui: &mut Ui) -> Outcome {
    let mut root = Cli::command();
    root.build();
    let Some(dir) = &args.output else {
        let command = match &args.command {
            None => root.clone(),
            Some(name) => visible(&root)
                .find(|c| c.get_name() == name)
                .cloned()
                .ok_or_else(|| Trouble::not_valid(format!("there is no command `{name}`")).next("runbook --help"))?,
        };
        ui.raw(&page(&command)?)?;
        return Ok(Exit::Succeeded);
    };
    let cannot = |why: std::io::Error| Trouble::unwritable(dir, &why);
    std::fs::create_dir_all(dir).map_err(cannot)?;
    let mut count = 1;
    std::fs::write(dir.join("runbook.1"), page(&root)?).map_err(cannot)?;
    for command in visible(&root) {
        let file = |name: &str| dir.join(format!("runbook-{name}.1"));
        std::fs::write(file(command.get_name()), page(command)?).map_err(cannot)?;
        count += 1;
        for part in visible(command) {
            std::fs::write(file(&format!("{}-{}", command.get_name(), part.get_name())), page(part)?).map_err(cannot)?;
            count += 1;
        }
    }
    ui.say(&format!("wrote {count} pages to {}", dir.display()));
    Ok(Exit::Succeeded)
}

fn visible(root: &clap::Command) -> impl Iterator<Item = &clap::Command> {
    root.get_subcommands().filter(|command| !command.is_hide_set())
}

fn page(command: &clap::Command) -> Result<Vec<u8>, Trouble> {
    let mut page = Vec::new();
    Man::new(command.clone()).render(&mut page)?;
    Ok(page)
}
