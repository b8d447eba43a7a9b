//! Reading what came to letters' return addresses, and what follows. Nothing is ever sent back.

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;

use super::house::House;
use crate::domain::AnswerKind;
use crate::read::answer;
use crate::store::{FiledAnswer, StoreError, UnreadCopy};

/// Reads the copies that answer letters.
///
/// # Errors
/// When the letters cannot be looked up; the copies stay unread.
pub(super) async fn read(house: &House, copies: Vec<UnreadCopy>) -> Result<Vec<FiledAnswer>, StoreError> {
    let letters = copies.iter().filter_map(|copy| copy.answers).collect::<BTreeSet<_>>();
    if letters.is_empty() {
        return Ok(Vec::new());
    }
    let letters = house.store.answered_letters(&letters.into_iter().collect::<Vec<_>>()).await?;
    let letters = letters.into_iter().map(|letter| (letter.letter, letter)).collect::<HashMap<_, _>>();
    let read = tokio::task::spawn_blocking(move || {
        let read = copies.into_iter().filter_map(|copy| {
            let letter = copy.answers?;
            let says = answer(&copy.message);
            let (kind, about) = match letters.get(&letter) {
                Some(known) => says.kind_for(&known.customer, known.message_id.as_deref()),
                // Its person was erased.
                None => (AnswerKind::Unmatched, None),
            };
            let status = about.and_then(|about| about.status);
            let reason = about.and_then(|about| about.reason).map(str::to_owned);
            Some(FiledAnswer { copy: copy.id, shop: copy.shop, letter, kind, status, reason })
        });
        read.collect::<Vec<_>>()
    });
    // The reader catches its own panics; what was lost all the same stays unread and counts as an attempt.
    Ok(read.await.unwrap_or_default())
}

/// Files what was read. May be called again with the same answers.
///
/// # Errors
/// When the store cannot be written; the copies stay unread.
pub(super) async fn file(house: &House, answers: &Arc<[FiledAnswer]>) -> Result<(), StoreError> {
    if answers.is_empty() {
        return Ok(());
    }
    let policies = Arc::clone(&house.setup().policies);
    let filed = house.store.file_answers(Arc::clone(answers), policies, house.clock.now()).await?;
    for (answer, filed) in answers.iter().zip(filed) {
        let (rule, state) = match &filed.decided {
            Some((_, decision)) => (Some(decision.rule.as_str()), Some(decision.progress.state.as_str())),
            None => (None, None),
        };
        if filed.is_done {
            house.meter.answered(answer.kind);
        }
        let status = answer.status.map(|status| status.to_string());
        tracing::info!(
            copy = %answer.copy,
            shop = %answer.shop,
            letter = %answer.letter,
            kind = answer.kind.as_str(),
            status,
            reason = answer.reason.as_deref(),
            rule,
            state,
            listed = filed.is_listed,
            stopped = filed.stopped.len(),
            "something came back to a letter"
        );
        if answer.kind == AnswerKind::Complaint && filed.is_done {
            tracing::warn!(shop = %answer.shop, letter = %answer.letter, "a customer called a letter junk; no shop writes to them any more");
        }
    }
    Ok(())
}
