//! Tells the log what the spool has to report.

use std::time::Duration;

use postroad_host::disk::Disk;
use postroad_host::tasks;
use postroad_spool::{Report, Spool, What};
use postroad_telemetry::Event;

/// How often the spool is asked.
const LOOK: Duration = Duration::from_secs(1);

/// Tells what the spool reports from now on.
pub(crate) async fn watch<D: Disk>(spool: Spool<D>) {
    loop {
        spool.take_reports().iter().for_each(tell);
        tasks::sleep(LOOK).await;
    }
}

/// Tells one report.
pub(crate) fn tell(report: &Report) {
    let file = &report.file.display();
    let aside = report.set_aside.as_ref().map(|path| path.display());
    let set_aside = aside.as_ref().map(|path| path as _);
    let (offset, octets) = (report.offset, report.octets);
    let damage = |queue_id, what: &str| {
        Event::SpoolDamage {
            queue_id,
            what: &what,
            file,
            offset,
            octets,
            set_aside,
        }
        .emit();
    };
    match &report.what {
        What::Torn => Event::SpoolTorn {
            file,
            offset,
            octets,
            set_aside,
        }
        .emit(),
        What::Damaged => damage(None, "frames of the log"),
        What::Message(id) => damage(Some(*id), "a message"),
        What::Body(id) => damage(Some(*id), "a body file"),
        What::Header => damage(None, "one of two headers of a segment"),
        What::Segment => damage(None, "a whole segment"),
        What::Missing => damage(None, "a segment that is missing"),
        What::Checkpoint => damage(None, "a checkpoint; the whole log was read instead"),
        What::Disk(cause) => {
            Event::SpoolTrouble {
                queue_id: None,
                file: Some(file),
                cause,
            }
            .emit();
        }
        What::ReadOnly => Event::SpoolReadOnly {
            cause: &"writing failed, and the probe too",
        }
        .emit(),
        What::Recovered => Event::SpoolRecovered {}.emit(),
    }
}
