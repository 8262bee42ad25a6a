"""One file a dialect: decode its bytes, form its answer."""
