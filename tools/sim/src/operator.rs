//! An operator, who looks at the queue and meddles with what is in it.

use postroad_host::chance::Chance;
use postroad_host::clock::Clock;
use postroad_queue::Amendment;
use postroad_store::{Entry, QueueStore, Trouble};

use crate::executor::turn;
use crate::node::Shared;

/// How many messages the operator sees at a time.
const PAGE: usize = 8;

/// Amends messages now and then, for as long as somebody polls; `calm`, only takes holds away.
pub(crate) async fn run<S: QueueStore>(shared: &Shared<'_>, store: &S, calm: bool) {
    let chance = shared.chance.fork();
    let mut cursor = None;
    loop {
        for _ in 0..chance.below(40) {
            turn().await;
        }
        let page = store.page(cursor, PAGE).await.unwrap_or_default();
        turn().await;
        cursor = page.last().map(|entry| entry.id);
        let entries: Vec<&Entry> = match calm {
            true => page.iter().filter(|entry| entry.state.held).collect(),
            false => page.iter().take(1 + chance.index(2)).collect(),
        };
        for entry in entries {
            let amendment = match calm {
                true => Amendment::Release,
                false => draw(shared, entry, &chance),
            };
            amend(shared, store, entry, amendment).await;
        }
    }
}

fn draw(shared: &Shared<'_>, entry: &Entry, chance: &Chance) -> Amendment {
    // A notice that is deleted is missed by its message, of which nothing is known any more.
    let is_notice = shared.ledger.borrow().number_of(entry.id).is_none();
    match chance.below(8) {
        0 | 1 => Amendment::Hold,
        2 | 3 => Amendment::Release,
        4 if !is_notice => Amendment::Delete,
        _ => Amendment::RetryNow,
    }
}

async fn amend<S: QueueStore>(shared: &Shared<'_>, store: &S, entry: &Entry, amendment: Amendment) {
    let id = entry.id;
    if amendment == Amendment::Delete {
        shared.ledger.borrow_mut().delete(id);
    }
    let said = format!("{amendment:?}");
    let done = store.amend(id, amendment, shared.clock.unix()).await;
    let mut ledger = shared.ledger.borrow_mut();
    ledger.tell(format!("operator: {said} {id}: {done:?}"));
    let trouble = match done {
        // It may have been delivered since it was seen.
        Ok(()) | Err(Trouble::Unknown(_)) => return,
        Err(trouble) => trouble,
    };
    if !shared.may_fail && !shared.disk.is_down() {
        ledger.complain_of_id(
            id,
            format!("{id} could not be amended without a fault: {trouble}"),
        );
    }
}
