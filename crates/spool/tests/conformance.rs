//! The suite of all stores, on the real disk and on the simulated one.

// The body of a test fails by a panic. The suite makes a runtime for each of its tests.
#![allow(clippy::unwrap_used, clippy::disallowed_methods)]

use std::path::PathBuf;
use std::sync::Arc;
use std::thread::JoinHandle;

use postroad_host::chance::Chance;
use postroad_host::clock::{Clock, RealClock};
use postroad_host::disk::Disk;
use postroad_host::disk::real::RealDisk;
use postroad_host::disk::sim::SimDisk;
use postroad_host::tasks;
use postroad_spool::{Opened, Options, Spool};
use postroad_store::conformance::Fixture;

/// A spool with its two threads.
struct Running<D: Disk> {
    spool: Spool<D>,
    threads: Vec<JoinHandle<()>>,
}

fn start<D: Disk>(disk: D, folder: PathBuf) -> Running<D> {
    let options = Options {
        segment_octets: 64 * 1024,
        body_file_threshold: 8 * 1024,
        fresh_memory: 256 * 1024,
        checkpoint_octets: 32 * 1024,
        checkpoint_piece: 3,
        floor_octets: 0,
        floor_inodes: 0,
        ..Options::new(folder)
    };
    // Each start draws epochs of its own: with those of an earlier one, what that left in a file that is
    // used again would verify.
    let chance = Chance::from_seed(RealClock.mono().0);
    let opened = Spool::open(disk, options, chance, Arc::new(RealClock)).unwrap();
    let Opened {
        spool,
        committer,
        housekeeper,
        reports,
    } = opened;
    assert_eq!(reports, []);
    let threads = vec![
        tasks::thread("committer", move || committer.run()).unwrap(),
        tasks::thread("housekeeper", move || housekeeper.run()).unwrap(),
    ];
    Running { spool, threads }
}

fn stop<D: Disk>(running: Running<D>) {
    running.spool.close();
    for thread in running.threads {
        thread.join().unwrap();
    }
    assert_eq!(running.spool.take_reports(), []);
}

mod real {
    use super::*;

    struct OnRealDisk {
        running: Running<RealDisk>,
        folder: tempfile::TempDir,
    }

    impl Fixture for OnRealDisk {
        type Store = Spool<RealDisk>;

        async fn make() -> OnRealDisk {
            let folder = tempfile::tempdir().unwrap();
            let running = start(RealDisk, folder.path().join("spool"));
            OnRealDisk { running, folder }
        }

        fn store(&self) -> &Spool<RealDisk> {
            &self.running.spool
        }

        async fn reopen(self) -> OnRealDisk {
            stop(self.running);
            let running = start(RealDisk, self.folder.path().join("spool"));
            OnRealDisk {
                running,
                folder: self.folder,
            }
        }
    }

    postroad_store::conformance!(OnRealDisk);
}

mod simulated {
    use super::*;
    use proptest::prelude::*;

    struct OnSimDisk {
        running: Running<SimDisk>,
        disk: SimDisk,
    }

    impl Fixture for OnSimDisk {
        type Store = Spool<SimDisk>;

        async fn make() -> OnSimDisk {
            let disk = SimDisk::new(7);
            let running = start(disk.clone(), PathBuf::from("/spool"));
            OnSimDisk { running, disk }
        }

        fn store(&self) -> &Spool<SimDisk> {
            &self.running.spool
        }

        async fn reopen(self) -> OnSimDisk {
            stop(self.running);
            let running = start(self.disk.clone(), PathBuf::from("/spool"));
            OnSimDisk {
                running,
                disk: self.disk,
            }
        }
    }

    postroad_store::conformance!(OnSimDisk);

    proptest! {
        #![proptest_config(ProptestConfig { cases: 64, ..ProptestConfig::default() })]

        #[test]
        fn random_sequences_show_what_the_model_shows(
            ops in postroad_store::model::ops(60, 30_000),
        ) {
            let checked = async {
                postroad_store::model::check(&ops, OnSimDisk::make().await).await;
            };
            tasks::run(0, checked).unwrap();
        }
    }
}
