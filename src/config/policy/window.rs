//! Who is left out and at what hours letters go.

use crate::document::Table;

use super::layer::Layer;

pub(super) fn read<'d>(_layer: &mut Layer<'d>, _table: &Table<'d>) {}
