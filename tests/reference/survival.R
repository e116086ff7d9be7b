# Answers of R's survival package (and glm) for a table with columns t, e, a, b, c, d, g, y.
# Usage: Rscript survival.R table.csv answers.csv ; answers.csv has columns key, value.
suppressPackageStartupMessages(library(survival))
args <- commandArgs(trailingOnly = TRUE)
d <- read.csv(args[1])
keys <- character(); values <- numeric()
say <- function(key, value) {
  value <- as.numeric(value)
  if (length(value) > 1) key <- paste0(key, ".", seq_along(value) - 1)
  keys <<- c(keys, key); values <<- c(values, value)
}
control <- coxph.control(eps = 1e-14, toler.chol = 1e-15, iter.max = 100, timefix = FALSE)

k <- concordance(Surv(t, e) ~ a, d, reverse = TRUE, timefix = FALSE)
say("c.estimate", k$concordance); say("c.counts", k$count[c("concordant", "discordant", "tied.x")])

for (ties in c("efron", "breslow")) {
  f <- coxph(Surv(t, e) ~ a + b + c, d, ties = ties, control = control)
  say(paste0(ties, ".coef"), coef(f)); say(paste0(ties, ".cov"), as.vector(vcov(f)))
  say(paste0(ties, ".loglik"), f$loglik[2]); say(paste0(ties, ".null"), f$loglik[1])
  say(paste0(ties, ".score"), f$score); say(paste0(ties, ".wald"), f$wald.test)
  for (x in c("a", "b", "c", "d")) {
    u <- coxph(as.formula(paste("Surv(t, e) ~", x)), d, ties = ties, control = control)
    say(paste0(ties, ".one.", x), c(coef(u), sqrt(vcov(u)), u$loglik[2], u$loglik[1], u$score, u$n, u$nevent))
  }
}

s <- survfit(Surv(t, e) ~ 1, d, conf.type = "log-log", timefix = FALSE)
say("km.time", s$time); say("km.at_risk", s$n.risk); say("km.events", s$n.event); say("km.censored", s$n.censor)
say("km.survival", s$surv); say("km.error", s$surv * s$std.err); say("km.lower", s$lower); say("km.upper", s$upper)
say("km.median", summary(s)$table[c("median", "0.95LCL", "0.95UCL")])

l <- survdiff(Surv(t, e) ~ g, d)
say("lr.chisq", l$chisq); say("lr.observed", l$obs); say("lr.expected", l$exp); say("lr.n", l$n)
two <- survdiff(Surv(t, e) ~ (g == "x"), d)
say("lr2.chisq", two$chisq)

tight <- glm.control(epsilon = 1e-15, maxit = 100)
f <- glm(y ~ a + b + c, binomial, d, control = tight)
say("logistic.coef", coef(f)); say("logistic.cov", as.vector(vcov(f)))
say("logistic.loglik", as.numeric(logLik(f))); say("logistic.null", -f$null.deviance / 2)
for (x in c("a", "b", "c", "d")) {
  u <- glm(as.formula(paste("y ~", x)), binomial, d, control = tight)
  null <- glm(y ~ 1, binomial, d[!is.na(d[[x]]), ])
  say(paste0("logistic.one.", x), c(coef(u), sqrt(vcov(u)[2, 2]), as.numeric(logLik(u)), as.numeric(logLik(null)),
    anova(null, glm(as.formula(paste("y ~", x)), binomial, d[!is.na(d[[x]]), ]), test = "Rao")$Rao[2]))
}
write.csv(data.frame(key = keys, value = sprintf("%.17g", values)), args[2], row.names = FALSE, quote = FALSE)
