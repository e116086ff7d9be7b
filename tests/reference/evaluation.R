# Answers of R (survival, riskRegression, prodlim, geepack, pROC, Hmisc) to which the evaluation of predictions is held.
# Usage: Rscript evaluation.R evaluation_table.csv evaluation_answers.csv ; the second file gets columns key, value.
# Columns of the table: t time, e event 0/1, k state 0/1/2, s score, p and q two predicted risks, y class 0/1,
# z a second score, g stratum 0/1, w case weight, u time of entry, x a covariate.
suppressPackageStartupMessages({
  library(survival); library(riskRegression); library(prodlim); library(geepack); library(pROC)
})
args <- commandArgs(trailingOnly = TRUE)
d <- read.csv(args[1])
n <- nrow(d); h <- c(4, 9, 15)
keys <- character(); values <- numeric()
say <- function(key, value) {
  value <- as.numeric(value)
  if (length(value) > 1) key <- paste0(key, ".", seq_along(value) - 1)
  keys <<- c(keys, key); values <<- c(values, value)
}

# Restricted means.
for (tau in c(9, 14)) for (z in 0:1) {
  part <- d[d$g == z, ]
  means <- survival:::survmean(survfit(Surv(t, e) ~ 1, part), rmean = tau)$matrix
  say(paste0("rmst.", tau, ".", z), means[c("rmean", "se(rmean)")])
}

# Discrimination and prediction error at horizons.
for (tau in c(6, 12)) say(paste0("uno.", tau), concordance(Surv(t, e) ~ s, d, reverse = TRUE, timewt = "n/G2", ymax = tau)$concordance)
say("uno.all", concordance(Surv(t, e) ~ s, d, reverse = TRUE, timewt = "n/G2")$concordance)
m <- cbind(.4 * d$p, .7 * d$p, d$p)
score <- function(f, ...) Score(list(m = m), formula = f, data = d, times = h, metrics = c("auc", "brier"),
  cens.model = "km", cens.method = "ipcw", conf.int = FALSE, null.model = TRUE, summary = "ibs", ...)
a <- score(Hist(t, e) ~ 1); b <- score(Hist(t, k) ~ 1, cause = 1); c2 <- score(Hist(t, k) ~ 1, cause = 2)
d <- as.data.frame(d)  # Score makes it a data.table, in which names of columns come before those of variables
for (name in c("one", "cause1", "cause2")) {
  x <- list(one = a, cause1 = b, cause2 = c2)[[name]]
  say(paste0("auc.", name), x$AUC$score$AUC)
  say(paste0("brier.", name), x$Brier$score[model == "m", Brier])
  say(paste0("null.", name), x$Brier$score[model == "Null model", Brier])
  say(paste0("ibs.", name), x$Brier$score[model == "m", IBS])
}

# Aalen-Johansen, with the infinitesimal jackknife error of survfit.
f <- survfit(Surv(t, factor(k, 0:2)) ~ 1, d)
say("aj.time", f$time); say("aj.1", f$pstate[, 2]); say("aj.2", f$pstate[, 3]); say("aj.se.1", f$std.err[, 2])

# Pseudo-observations by the jackknife, and calibration at 9 by them.
pm <- as.vector(1 - jackknife(prodlim(Hist(t, e) ~ 1, d), times = 9))
pc <- as.vector(jackknife(prodlim(Hist(t, k) ~ 1, d), times = 9, cause = 1))
say("pseudo.one", pm); say("pseudo.cause1", pc)
for (name in c("one", "cause1")) {
  d$pseudo <- list(one = pm, cause1 = pc)[[name]]
  d$cll <- log(-log(1 - d$p)); d$id <- seq_len(n)
  tight <- geese.control(epsilon = 1e-13, maxit = 200)
  l <- loess(pseudo ~ p, d, degree = 1, span = 0.5, control = loess.control(surface = "direct"))
  gap <- abs(predict(l) - d$p)
  say(paste0("loess.", name), predict(l))
  say(paste0("ici.", name), c(mean(gap), quantile(gap, c(.5, .9)), max(gap)))
  i <- geese(pseudo ~ offset(cll), data = d, id = id, scale.fix = TRUE, family = gaussian, mean.link = "cloglog",
    corstr = "independence", control = tight)
  v <- geese(pseudo ~ offset(cll) + cll, data = d, id = id, scale.fix = TRUE, family = gaussian,
    mean.link = "cloglog", corstr = "independence", control = tight)
  say(paste0("weak.", name), c(i$beta, sqrt(diag(i$vbeta)), 1 + v$beta[2], sqrt(diag(v$vbeta))[2]))
}
say("oe.one", (1 - summary(survfit(Surv(t, e) ~ 1, d), times = 9)$surv) / mean(d$p))
say("oe.cause1", summary(f, times = 9)$pstate[2] / mean(d$p))
# Hazard-regression calibration: restricted cubic spline with three knots of log(-log(1 - p)) (Austin et al. 2020).
suppressPackageStartupMessages(library(rms))
kn <- quantile(d$cll, c(.1, .5, .9)); xx <- rcspline.eval(d$cll, knots = kn, inclx = TRUE)
sf <- coxph(Surv(t, e) ~ xx, d, ties = "efron", control = coxph.control(eps = 1e-13, toler.chol = 1e-15, iter.max = 100))
bh <- basehaz(sf, centered = FALSE); H <- max(bh$hazard[bh$time <= 9])
obs <- 1 - exp(-H * exp(as.vector(xx %*% coef(sf))))
gap <- abs(obs - d$p); say("spline.ici", c(mean(gap), quantile(gap, c(.5, .9)), max(gap)))

# Calibration of a binary outcome.
lp <- qlogis(d$p); tg <- glm.control(epsilon = 1e-15, maxit = 100)
sl <- glm(y ~ lp, binomial, d, control = tg); it <- glm(y ~ offset(lp), binomial, d, control = tg)
say("binary.weak", c(coef(it), sqrt(diag(vcov(it))), coef(sl)[2], sqrt(diag(vcov(sl)))[2]))
say("binary.oe", mean(d$y) / mean(d$p))
l <- loess(y ~ p, d, degree = 2, span = 0.75, control = loess.control(surface = "direct"))
gap <- abs(predict(l) - d$p); say("binary.ici", c(mean(gap), quantile(gap, c(.5, .9)), max(gap)))

# Net benefit at 9 from its definition (Vickers et al. 2008): the curve among those at or above each threshold.
th <- c(.05, .1, .2, .3, .5, .7)
net <- function(positive, at, incidence) {
  if (!any(positive)) return(0)
  mean(positive) * (incidence(positive) - (1 - incidence(positive)) * at / (1 - at))
}
km <- function(z) 1 - summary(survfit(Surv(t, e) ~ 1, d[z, ]), times = 9, extend = TRUE)$surv
aj <- function(z) summary(survfit(Surv(t, factor(k, 0:2)) ~ 1, d[z, ]), times = 9, extend = TRUE)$pstate[2]
yy <- function(z) mean(d$y[z])
for (name in c("km", "aj", "yy")) {
  fun <- list(km = km, aj = aj, yy = yy)[[name]]
  say(paste0("net.", name), sapply(th, function(x) net(d$p >= x, x, fun)))
  say(paste0("net.all.", name), sapply(th, function(x) net(rep(TRUE, n), x, fun)))
}

# Royston's D, DeLong, reclassification.
tightcox <- coxph.control(eps = 1e-13, toler.chol = 1e-15, iter.max = 100)
r <- royston(coxph(Surv(t, e) ~ s, d, control = tightcox), newdata = data.frame(t = d$t, e = d$e, s = d$s))
say("royston", r[c("D", "se(D)", "R.D")])
r1 <- roc(d$y, d$p, quiet = TRUE, direction = "<"); r2 <- roc(d$y, d$z, quiet = TRUE, direction = "<")
say("delong.auc", c(auc(r1), auc(r2))); say("delong.var", c(var(r1, method = "delong"), var(r2, method = "delong")))
say("delong.ci", ci.auc(r1, method = "delong")[c(1, 3)])
tt <- roc.test(r1, r2, paired = TRUE, method = "delong"); say("delong.paired", c(tt$statistic, tt$p.value, cov(r1, r2)))
im <- Hmisc::improveProb(d$p, d$q, d$y)
say("nri", c(im$nri, im$se.nri, im$nri.ev, im$nri.ne, im$idi, im$se.idi))
# Average precision from its definition: precision at every distinct score, weighted by the recall gained there.
cut <- sort(unique(d$z), decreasing = TRUE)
rec <- sapply(cut, function(x) sum(d$y[d$z >= x]) / sum(d$y)); pre <- sapply(cut, function(x) mean(d$y[d$z >= x]))
say("ap", sum(diff(c(0, rec)) * pre))
# Antolini's C from its definition, with risks that cross: cumulative hazard t^(1 + x/2) exp(s).
hz <- function(i, time) (time / 10)^(1 + .5 * (d$x[i] > 0)) * exp(.5 * d$s[i])
num <- den <- 0
for (i in which(d$e == 1)) {
  j <- which(d$t > d$t[i] | (d$t == d$t[i] & d$e == 0))
  den <- den + length(j); a <- hz(i, d$t[i]); b <- hz(j, d$t[i]); num <- num + sum(a > b) + sum(a == b) / 2
}
say("antolini", num / den)

# Cox with strata, weights, entry and clusters; Fine-Gray by finegray and coxph.
d$cl <- rep(1:(n / 2), 2)
for (ties in c("efron", "breslow")) {
  ff <- list(
    strata = coxph(Surv(t, e) ~ s + x + strata(g), d, ties = ties, control = tightcox),
    weights = coxph(Surv(t, e) ~ s + x, d, weights = w, ties = ties, robust = TRUE, control = tightcox),
    entry = coxph(Surv(u, t, e) ~ s + x, d, ties = ties, control = tightcox),
    all = coxph(Surv(u, t, e) ~ s + x + strata(g) + cluster(cl), d, weights = w, ties = ties, control = tightcox))
  for (name in names(ff)) {
    o <- ff[[name]]; key <- paste0("cox.", ties, ".", name)
    say(paste0(key, ".coef"), coef(o)); say(paste0(key, ".var"), as.vector(if (is.null(o$naive.var)) o$var else o$naive.var))
    say(paste0(key, ".loglik"), rev(o$loglik))
    if (!is.null(o$naive.var)) say(paste0(key, ".robust"), as.vector(o$var))
  }
  fg <- finegray(Surv(t, factor(k, 0:2)) ~ ., d, etype = "1")
  o <- coxph(Surv(fgstart, fgstop, fgstatus) ~ s + x + cluster(id), fg, weights = fgwt, ties = ties, control = tightcox)
  say(paste0("fg.", ties, ".coef"), coef(o)); say(paste0("fg.", ties, ".robust"), as.vector(o$var))
  # Risks by 4, 9 and 15 of two patients, by the baseline of that treatment of ties.
  two <- data.frame(s = c(-1, 1), x = c(0.5, 0), g = 1, id = 1)
  say(paste0("fg.", ties, ".risk"), 1 - as.vector(summary(survfit(o, newdata = two), times = h)$surv))
  for (name in c("entry", "weights"))
    say(paste0("cox.", ties, ".", name, ".risk"), 1 - as.vector(summary(survfit(ff[[name]], newdata = two), times = h)$surv))
  stratum <- survfit(ff$strata, newdata = two)
  say(paste0("cox.", ties, ".strata.risk"), 1 - as.vector(summary(stratum, times = h)$surv))
}
write.csv(data.frame(key = keys, value = sprintf("%.15g", values)), args[2], row.names = FALSE, quote = FALSE)
