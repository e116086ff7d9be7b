# Answers of R's cox.zph and of its smooth curve, to which the test of proportional hazards is held.
# Usage: Rscript zph.R evaluation_table.csv zph_answers.csv ; the second file gets columns key, value.
suppressPackageStartupMessages(library(survival))
args <- commandArgs(trailingOnly = TRUE)
d <- read.csv(args[1])
d$x2 <- (d$z > mean(d$z)) + 0
keys <- character(); values <- numeric()
say <- function(key, value) {
  value <- as.numeric(value)
  keys <<- c(keys, paste0(key, ".", seq_along(value) - 1)); values <<- c(values, value)
}
tight <- coxph.control(eps = 1e-13, toler.chol = 1e-15, iter.max = 100)
for (ties in c("efron", "breslow")) {
  f <- coxph(Surv(t, e) ~ s + x + x2, d, ties = ties, control = tight)
  for (transform in c("km", "rank", "log", "identity")) {
    r <- cox.zph(f, transform = transform, terms = FALSE)
    say(paste(ties, transform, "chisq", sep = "."), r$table[, "chisq"])
    say(paste(ties, transform, "logp", sep = "."), -pchisq(r$table[, "chisq"], r$table[, "df"], lower.tail = FALSE, log.p = TRUE) / log(10))
  }
  r <- cox.zph(f, transform = "km", terms = FALSE)
  o <- order(r$time, r$y[, 1])
  say(paste(ties, "x", sep = "."), r$x[o]); say(paste(ties, "y", sep = "."), r$y[o, 1])
  # The curve that plot.cox.zph draws, with its standard error.
  at <- seq(min(r$x), max(r$x), length = 40)
  basis <- splines::ns(c(at, r$x), df = 4, intercept = TRUE)
  here <- basis[-(1:40), ]; there <- basis[1:40, ]
  say(paste(ties, "curve", sep = "."), there %*% qr.coef(qr(here), r$y[, 2]))
  say(paste(ties, "error", sep = "."), sqrt(r$var[2, 2] * rowSums((there %*% solve(crossprod(here))) * there)))
}
write.csv(data.frame(key = keys, value = sprintf("%.15g", values)), args[2], row.names = FALSE, quote = FALSE)
