//! Regular expressions in the dialect of filters.
