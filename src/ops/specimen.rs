//! An invitation for the tests of this room.

use crate::domain::{
    Customer, EmailAddress, Invitation, InvitationId, OrderDetails, OrderReference, Progress, ShopId, Timestamp,
};

/// The invitation 12 of the shop `nord`, to anna@customer.example about the order A-1.
pub(super) fn invitation(progress: Progress, now: Timestamp) -> Invitation {
    Invitation {
        id: InvitationId(12),
        shop: ShopId::parse("nord").unwrap(),
        reference: OrderReference::parse("A-1").unwrap(),
        customer: Customer { email: EmailAddress::parse("anna@customer.example").unwrap(), name: None },
        order: OrderDetails::default(),
        progress,
        round: 0,
        follows: None,
        link_series: 0,
        created_at: now,
        updated_at: now,
    }
}
