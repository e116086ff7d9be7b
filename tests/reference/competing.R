# Answers of R (cmprsk, pec, riskRegression, survival) on competing risks and left truncation.
# Usage: Rscript competing.R evaluation_table.csv competing_answers.csv ; the second file gets columns key, value.
# Columns of the table: t time, e event 0/1, k state 0/1/2, s score, x a covariate, g stratum 0/1, w case weight,
# u time of entry.
suppressPackageStartupMessages({library(cmprsk); library(pec); library(riskRegression); library(survival)})
args <- commandArgs(trailingOnly = TRUE)
d <- read.csv(args[1])
n <- nrow(d)
keys <- character(); values <- numeric()
say <- function(key, value) {
  value <- as.numeric(value)
  if (length(value) > 1) key <- paste0(key, ".", seq_along(value) - 1)
  keys <<- c(keys, key); values <<- c(values, value)
}

# Gray's test of two and of three groups, of both kinds of event.
d$h <- rep(1:3, n / 3)
for (g in c("g", "h")) {
  test <- cuminc(d$t, d$k, d[[g]])$Tests
  say(paste0("gray.", g, ".1"), test["1", c("stat", "pv")]); say(paste0("gray.", g, ".2"), test["2", c("stat", "pv")])
}

# Concordance with competing risks, without equal times.
d$t2 <- d$t + seq_len(n) * 1e-3
for (tau in c(6, 12)) for (cause in 1:2) {
  o <- pec::cindex(list(m = matrix(d$s, ncol = 1)), formula = Hist(t2, k) ~ 1, data = d, cause = cause,
    eval.times = tau, pred.times = tau, cens.model = "marginal", verbose = FALSE)
  say(paste0("c.", tau, ".", cause), unlist(o$AppCindex))
}

# Cumulative incidence from two cause-specific Cox models (product limit), of two patients at 4, 9 and 15.
tight <- coxph.control(eps = 1e-13, toler.chol = 1e-15, iter.max = 100)
two <- data.frame(s = c(-1, 1), x = c(0.5, 0))
for (ties in c("efron", "breslow")) {
  o <- CSC(Hist(t, k) ~ s + x, data = d, ties = ties, control = tight)
  for (cause in 1:2) say(paste0("csc.", ties, ".", cause), predictRisk(o, two, times = c(4, 9, 15), cause = cause))
}

# Ridge: theta of coxph, columns as they are. (Of late entries with Efron's ties its inner loop does not converge.)
for (ties in c("efron", "breslow")) {
  f <- if (ties == "efron") Surv(t, e) ~ ridge(s, x, theta = 5, scale = FALSE) + strata(g)
    else Surv(u, t, e) ~ ridge(s, x, theta = 5, scale = FALSE) + strata(g)
  o <- coxph(f, d, weights = w, ties = ties, control = coxph.control(eps = 1e-11, iter.max = 200))
  say(paste0("ridge.", ties), coef(o))
}

# Left truncation: Kaplan-Meier, log-rank (score test of the exact partial likelihood), concordance, strata.
f <- survfit(Surv(u, t, e) ~ 1, d[d$t > 1, ], conf.type = "log-log")
at <- c(5, 9, 15)
say("km.entry", summary(f, times = at)$surv); say("km.entry.se", summary(f, times = at)$std.err)
say("km.entry.lower", summary(f, times = at)$lower)
part <- d[seq(1, n, 4), ]  # the exact likelihood of many ties takes forever
say("logrank.entry", coxph(Surv(u, t, e) ~ g, part, ties = "exact")$score)
say("c.entry", concordance(Surv(u, t, e) ~ s, d, reverse = TRUE)$concordance)
cs <- concordance(Surv(u, t, e) ~ s + strata(g), d, reverse = TRUE)
say("c.entry.strata", cs$concordance)

# Restricted mean time lost to each kind of event: mean time in its state up to 9 and 15, of everybody and of each g.
d$f <- factor(d$k, 0:2, c("none", "one", "two")); d$id <- seq_len(n)
for (tau in c(9, 15)) {
  all <- summary(survfit(Surv(t, f) ~ 1, d, id = id), rmean = tau)$table[, "rmean"]
  say(paste0("lost.", tau), all[2:3])
  each <- summary(survfit(Surv(t, f) ~ g, d, id = id), rmean = tau)$table[, "rmean"]
  say(paste0("lost.g.", tau), each[3:6])
}
write.csv(data.frame(key = keys, value = sprintf("%.15g", values)), args[2], row.names = FALSE, quote = FALSE)
