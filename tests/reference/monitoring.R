# Answers of R (lme4, survival, riskRegression) to which progression monitoring is held.
# Usage: Rscript monitoring.R monitoring_table.csv monitoring_answers.csv ; the second file gets columns key, value.
# Columns of the table: id, day, volume_ml (one row a scan), and of the subject grade, days, progressed.
suppressPackageStartupMessages({library(lme4); library(survival); library(riskRegression)})
args <- commandArgs(trailingOnly = TRUE)
d <- read.csv(args[1])
keys <- character(); values <- numeric()
say <- function(key, value) {
  value <- as.numeric(value)
  if (length(value) > 1) key <- paste0(key, ".", seq_along(value) - 1)
  keys <<- c(keys, key); values <<- c(values, value)
}
control <- coxph.control(eps = 1e-14, toler.chol = 1e-15, iter.max = 100, timefix = FALSE)
marks <- c(0, 90, 180, 270); window <- 180
d$y <- log(d$volume_ml); d$t <- d$day / 100
subjects <- d[!duplicated(d$id), c("id", "grade", "days", "progressed")]

# The marker over time; ranef are predictions from all scans, "blup" those from the scans up to day 180.
tight <- lmerControl(optimizer = "bobyqa", optCtrl = list(rhoend = 1e-10, maxfun = 1e5))
m <- lmer(y ~ t + (t | id), d, control = tight)
say("lmm.fixed", fixef(m)); say("lmm.vcov", as.vector(as.matrix(vcov(m)))); say("lmm.criterion", REMLcrit(m))
D <- as.matrix(VarCorr(m)$id); say("lmm.random", as.vector(D)); say("lmm.residual", sigma(m)^2)
say("lmm.ranef", as.vector(t(as.matrix(ranef(m)$id[1:5, ]))))
one <- lmer(y ~ t + (1 | id), d, control = tight)
say("intercepts.fixed", fixef(one)); say("intercepts.random", VarCorr(one)$id[1, 1]); say("intercepts.criterion", REMLcrit(one))
first <- subjects$id[subjects$days > 180][1:5]
for (k in seq_along(first)) {
  p <- d[d$id == first[k] & d$day <= 180, ]
  Z <- cbind(1, p$t)
  say(paste0("blup.", k - 1), D %*% t(Z) %*% solve(Z %*% D %*% t(Z) + sigma(m)^2 * diag(nrow(p)), p$y - Z %*% fixef(m)))
}

# The landmark supermodel on the last value.
stack <- do.call(rbind, lapply(marks, function(s) {
  r <- subjects[subjects$days > s, ]
  r$last <- sapply(r$id, function(i) { p <- d[d$id == i & d$day <= s, ]; p$y[which.max(p$day)] })
  r$s <- s; r$exit <- pmin(r$days, s + window); r$event <- as.numeric(r$progressed == 1 & r$days <= s + window); r
}))
stack$u <- stack$s / max(marks); stack$u2 <- stack$u^2
f <- coxph(Surv(s, exit, event) ~ grade + last + u + u2 + cluster(id), stack, control = control)
say("super.coef", coef(f)); say("super.robust", as.vector(f$var)); say("super.loglik", f$loglik[2])
h <- basehaz(f, centered = FALSE)
H <- function(t) { i <- findInterval(t, h$time); if (i == 0) 0 else h$hazard[i] }
score <- as.matrix(stack[, c("grade", "last", "u", "u2")]) %*% coef(f)
stack$risk <- as.vector(1 - exp(-exp(score) * (sapply(stack$s + window, H) - sapply(stack$s, H))))
say("super.risk", stack$risk[stack$s == 90][1:6])
p <- coxph(Surv(s, exit, event) ~ ridge(grade, last, theta = 7) + u + u2, stack, control = control)
say("ridge.coef", coef(p))
for (s in c(90, 180)) {
  r <- stack[stack$s == s, ]; r$time <- r$days - s
  x <- Score(list(m = as.matrix(r$risk)), formula = Hist(time, progressed) ~ 1, data = r, times = window,
    metrics = c("auc", "brier"), cens.model = "km", cens.method = "ipcw", conf.int = FALSE, null.model = FALSE)
  say(paste0("auc.", s), x$AUC$score$AUC); say(paste0("brier.", s), x$Brier$score$Brier)
}

# The last value as a time-dependent covariate: (start, stop] between scans.
cut <- do.call(rbind, lapply(subjects$id, function(i) {
  p <- d[d$id == i, ]; p <- p[order(p$day), ]; p <- p[p$day < p$days, ]
  p$stop <- c(p$day[-1], p$days[1]); p$event <- 0; p$event[nrow(p)] <- p$progressed[1]; p
}))
g <- coxph(Surv(day, stop, event) ~ grade + y + cluster(id), cut, control = control)
say("timed.coef", coef(g)); say("timed.robust", as.vector(g$var)); say("timed.n", nrow(cut))

# Competing events, made of every third subject's event, at the landmark 90: cause-specific models, their incidence.
r <- stack[stack$s == 90, ]
r$state <- r$progressed * ifelse(as.integer(sub("M", "", r$id)) %% 3 == 0, 2, 1)
r$time <- pmin(r$days - 90, window); r$state <- ifelse(r$days - 90 > window, 0, r$state)
two <- CSC(Hist(time, state) ~ grade + last, data = r)
say("rival.coef", c(coef(two$models[[1]]), coef(two$models[[2]])))
say("rival.risk", predictRisk(two, newdata = r[1:6, ], times = window, cause = 1, product.limit = FALSE))
write.csv(data.frame(key = keys, value = sprintf("%.17g", values)), args[2], row.names = FALSE, quote = FALSE)
