//! The statements about what customers write and ask for. Written as those in [`super::statements`].

use super::statements::{Statement, piece, statements, text};

statements! {
    /// What one person wrote about one order: shop, reference and address by their keys.
    REVIEWS_OF_ORDER = {
        "SELECT id, shop, reference, invitation_id, kind, product, collected, verified, stars, title, text, name, language, \
        written_at, edited_at, deleted_at, deleted_by, delete_reason FROM review WHERE shop = $1 AND reference_key = $2 AND email_key = $3 \
        AND reference_key IS NOT NULL AND email_key IS NOT NULL ORDER BY id"
    };
    /// What these persons wrote, the newest first.
    REVIEWS_OF_PERSONS = {
        "SELECT id, shop, reference, invitation_id, kind, product, collected, verified, stars, title, text, name, language, \
        written_at, edited_at, deleted_at, deleted_by, delete_reason FROM review WHERE email_key" (texts "$1") " AND email_key IS NOT NULL \
        ORDER BY id DESC LIMIT $2"
    };
    REVIEW = {
        "SELECT id, shop, reference, invitation_id, kind, product, collected, verified, stars, title, text, name, language, \
        written_at, edited_at, deleted_at, deleted_by, delete_reason FROM review WHERE id = $1"
    };
    /// The same, which nobody else changes before this transaction ends.
    REVIEW_TO_CHANGE = {
        "SELECT id, shop, reference, invitation_id, kind, product, collected, verified, stars, title, text, name, language, \
        written_at, edited_at, deleted_at, deleted_by, delete_reason FROM review WHERE id = $1" (lock "review")
    };
    /// What came by a shop's generic link since `$2`: a form that is sent twice is one review.
    ANYBODYS_LATELY = {
        "SELECT id, shop, reference, invitation_id, kind, product, collected, verified, stars, title, text, name, language, \
        written_at, edited_at, deleted_at, deleted_by, delete_reason FROM review WHERE shop = $1 AND written_at >= $2 AND collected = 'basic' \
        AND stars = $3 AND title = $4 AND text = $5 AND name = $6 AND deleted_at IS NULL ORDER BY written_at LIMIT 1"
    };
    WRITE_REVIEW = {
        "INSERT INTO review (shop, reference, reference_key, email_key, invitation_id, kind, product, collected, verified, stars, \
        title, text, name, language, written_at) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15) \
        RETURNING id"
    };
    KEEP_EDIT = { "INSERT INTO review_edit (review_id, at, stars, title, text, name) VALUES ($1, $2, $3, $4, $5, $6)" };
    CHANGE_REVIEW = {
        "UPDATE review SET stars = $2, title = $3, text = $4, name = $5, language = $6, edited_at = $7, deleted_at = NULL, \
        deleted_by = NULL, delete_reason = NULL WHERE id = $1"
    };
    /// The stars stay, so that the figures do.
    DELETE_REVIEWS = {
        "UPDATE review SET title = '', text = '', name = '', deleted_at = $2, deleted_by = $3, delete_reason = $4 \
        WHERE id" (of "$1")
    };
    DELETE_EDITS = { "DELETE FROM review_edit WHERE review_id" (of "$1") };
    /// `$3` is the shop, `$4` the stars, `$5` the way, each of which may be absent.
    REVIEWS_BELOW = {
        "SELECT id, shop, reference, invitation_id, kind, product, collected, verified, stars, title, text, name, language, \
        written_at, edited_at, deleted_at, deleted_by, delete_reason FROM review WHERE id < $1 AND ($3 IS NULL OR shop = $3) \
        AND (CAST($4 AS BIGINT) IS NULL OR stars = $4) AND ($5 IS NULL OR collected = $5) AND + written_at >= $6 ORDER BY id DESC LIMIT $2"
    };
    EDITS_OF = { "SELECT at, stars, title, text, name FROM review_edit WHERE review_id = $1 ORDER BY id" };
    REVIEW_COUNTS = {
        "SELECT collected, kind, COUNT(*) - COUNT(deleted_at), COUNT(deleted_at) - COUNT(deleted_by), COUNT(deleted_by) \
        FROM review WHERE shop = $1 GROUP BY collected, kind ORDER BY collected, kind"
    };

    REVOKE_LINKS = {
        "UPDATE invitation SET link_series = CASE WHEN link_series < 255 THEN link_series + 1 ELSE link_series END \
        WHERE id = $1 RETURNING link_series"
    };

    ASK_ERASURE = {
        "INSERT INTO erasure_request (shop, email, email_key, at) VALUES ($1, $2, $3, $4) ON CONFLICT (email_key) DO NOTHING"
    };
    REQUESTS = { "SELECT shop, email, at FROM erasure_request WHERE id > 0 ORDER BY id" };

}
