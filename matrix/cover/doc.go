// Package cover finds few rows, each a valid combination of one value on every
// axis, that together hold every valid combination of any two (or three)
// values: a covering array under constraints. It also walks all valid rows of
// a model without keeping them.
//
// It is pure: the same model, options and seed give the same rows on every
// machine, unless the caller lets it search until a moment of his choice.
// What it returns is to be verified by package check, which shares no code
// with it.
package cover
