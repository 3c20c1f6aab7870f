//! `taskyard doctor`: looks at a stopped host's data folder, and mends it.

use clap::Args;
use rustix::fs::Mode;
use rustix::process::umask;
use serde_json::json;
use taskyard_storage::{Finding, Mending, Report, examine};

use super::{Exit, Output};
use crate::config::Config;
use crate::descriptors;
use crate::serve::storage_config;

/// What `doctor` takes.
#[derive(Debug, Args)]
pub(crate) struct DoctorArgs {
    /// Put a database without what is wrong in the place of one in which something is; that one is kept
    #[arg(long)]
    repair: bool,
}

/// Does what `doctor` says.
///
/// # Errors
/// If a host uses the folder, or it cannot be read at all.
pub(crate) fn run(args: &DoctorArgs, config: &Config, output: Output) -> anyhow::Result<Exit> {
    // All files are open at once, so that each is looked at.
    descriptors::raise();
    umask(Mode::RWXG | Mode::RWXO);
    let storage = storage_config(config, None, false);
    let mut printed = Ok(());
    let report = examine(&storage, args.repair, &mut |finding| {
        if printed.is_ok() {
            printed = tell(finding, args.repair, output);
        }
    })?;
    printed?;
    match output.is_json() {
        true => output.event(&summary(&report))?,
        false => output.line(in_words(&report, args.repair))?,
    }
    let left = match report.kept {
        Some(_) => report.lasting,
        None => report.wrong,
    };
    Ok(match left {
        0 => Exit::Ok,
        _ => Exit::Damaged,
    })
}

fn tell(finding: &Finding, repair: bool, output: Output) -> anyhow::Result<()> {
    let Finding {
        table,
        key,
        what,
        affects,
        mending,
    } = finding;
    let (word, mended) = match (mending, repair) {
        (Mending::MadeAnew, true) => ("made-anew", "made anew"),
        (Mending::MadeAnew, false) => ("made-anew", "--repair makes it anew"),
        (Mending::LeftOut, true) => ("left-out", "left out"),
        (Mending::LeftOut, false) => ("left-out", "--repair leaves it out"),
        (Mending::Stays, _) => ("stays", "only you can help"),
    };
    if output.is_json() {
        return output.event(&json!({
            "table": table, "key": key, "what": what, "affects": affects, "repair": word,
        }));
    }
    let at = match key.is_empty() {
        true => (*table).to_owned(),
        false => format!("{table}, {key}"),
    };
    output.line(format!("{at}: {what}"))?;
    output.line(output.dim(format!("  affects {affects}; {mended}")))?;
    Ok(())
}

fn summary(report: &Report) -> serde_json::Value {
    json!({
        "rows": report.rows,
        "tasks": report.tasks,
        "wrong": report.wrong,
        "lasting": report.lasting,
        "leftOut": { "rows": report.left_out.rows, "tasks": report.left_out.tasks },
        "kept": report.kept,
    })
}

fn in_words(report: &Report, repair: bool) -> String {
    let looked = format!("{} rows, {} whole tasks", report.rows, report.tasks);
    if report.wrong == 0 {
        return format!("{looked}: nothing is wrong");
    }
    let left_out = format!(
        "{} tasks and {} other rows that can be told apart",
        report.left_out.tasks, report.left_out.rows
    );
    let wrong = format!("{looked}: {} things are wrong", report.wrong);
    match (&report.kept, repair) {
        (Some(kept), _) => format!(
            "{wrong}, and the database was made anew without {left_out}; {} things only you can help. The old \
             database is kept as it was in {}: remove it once you have what you need of it",
            report.lasting,
            kept.display()
        ),
        (None, true) => format!("{wrong}, and nothing of it can be mended here"),
        (None, false) => format!(
            "{wrong}. Restore a backup, or run `taskyard doctor --repair`, which leaves out {left_out} and \
             keeps the old database beside the new one"
        ),
    }
}

#[cfg(test)]
mod tests {
    use taskyard_storage::LeftOut;

    use super::*;

    fn report(wrong: u64) -> Report {
        Report {
            rows: 12,
            tasks: 3,
            wrong,
            lasting: 0,
            left_out: LeftOut { rows: 0, tasks: 1 },
            kept: None,
        }
    }

    #[test]
    fn what_was_found_is_said_with_what_to_do() {
        let sound = in_words(&report(0), false);
        assert_eq!(sound, "12 rows, 3 whole tasks: nothing is wrong");
        let wrong = in_words(&report(2), false);
        assert!(wrong.contains("doctor --repair"), "{wrong}");
        let mended = Report {
            kept: Some("data/damaged-1".into()),
            ..report(2)
        };
        let mended = in_words(&mended, true);
        assert!(mended.contains("data/damaged-1"), "{mended}");
    }
}
