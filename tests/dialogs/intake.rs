//! An intake that keeps copies in memory and fails when the script says so.

use std::collections::VecDeque;
use std::sync::Mutex;

use async_trait::async_trait;
use invited::domain::{CopyId, ShopId};
use invited::ops::accept::{Intake, NewCopy, NotNow, Recipient};

use crate::SHOP;

pub(crate) struct FakeIntake {
    pub(crate) ready: Mutex<VecDeque<Result<(), NotNow>>>,
    pub(crate) dot: Mutex<VecDeque<Result<(), NotNow>>>,
    pub(crate) logins: bool,
    /// Whose passwords were looked at.
    pub(crate) asked: Mutex<Vec<String>>,
    pub(crate) kept: Mutex<Vec<NewCopy>>,
}

impl FakeIntake {
    pub(crate) fn whose(address: &str) -> Recipient {
        match address {
            SHOP | "shop1+fedcba9876543210@in.example.com" => Recipient::Shop(ShopId::parse("shop1").unwrap()),
            "shop2+0123456789abcdef@in.example.com" => Recipient::Shop(ShopId::parse("shop2").unwrap()),
            _ => Recipient::Unknown,
        }
    }

    /// The user is `shop` and the password `secret`; of `later` nobody can say anything now.
    pub(crate) fn knows(&self, user: &str, password: &[u8]) -> Result<bool, NotNow> {
        self.asked.lock().unwrap().push(user.to_owned());
        if user == "later" { Err(NotNow::Unavailable) } else { Ok(user == "shop" && password == b"secret") }
    }

    pub(crate) fn keep(&self, copies: Vec<NewCopy>) -> Result<Vec<CopyId>, NotNow> {
        next(&self.dot)?;
        let mut kept = self.kept.lock().unwrap();
        let first = i64::try_from(kept.len()).unwrap() + 1;
        let ids = (first..).take(copies.len()).map(CopyId).collect();
        kept.extend(copies);
        Ok(ids)
    }

    pub(crate) fn count(&self) -> usize {
        self.kept.lock().unwrap().len()
    }

    /// The last message without its trace header.
    pub(crate) fn last_body(&self) -> Vec<u8> {
        let kept = self.kept.lock().unwrap();
        let message = &kept.last().expect("a copy").message;
        assert!(message.starts_with(b"Received: from "), "no trace header");
        let end = message.windows(3).position(|three| three[..2] == *b"\r\n" && three[2] != b'\t').map(|at| at + 2);
        message[end.unwrap_or(message.len())..].to_vec()
    }
}

pub(crate) fn next(queue: &Mutex<VecDeque<Result<(), NotNow>>>) -> Result<(), NotNow> {
    queue.lock().unwrap().pop_front().unwrap_or(Ok(()))
}

#[async_trait]
impl Intake for FakeIntake {
    fn recipient(&self, address: &str) -> Recipient {
        Self::whose(address)
    }

    async fn ready(&self) -> Result<(), NotNow> {
        next(&self.ready)
    }

    fn has_logins(&self) -> bool {
        self.logins
    }

    async fn authenticate(&self, user: &str, password: &[u8]) -> Result<bool, NotNow> {
        self.knows(user, password)
    }

    async fn accept(&self, copies: Vec<NewCopy>) -> Result<Vec<CopyId>, NotNow> {
        self.keep(copies)
    }
}
