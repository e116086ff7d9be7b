# Recorded answers of R to mediation_answers.csv: Rscript mediation.R DIR
# lm and glm give the models, integrate() the mean over the mediator's error, timereg (Debian: r-cran-timereg) the
# additive hazards.
suppressMessages({library(survival); library(timereg)})
folder <- commandArgs(trailingOnly = TRUE)[1]
d <- read.csv(file.path(folder, "mediation_table.csv"))
out <- list()
keep <- function(name, value) out[[length(out) + 1]] <<- data.frame(name, value = sprintf("%.12g", value))
med <- lm(m ~ a + age, d)
lin <- lm(y ~ a + m + age, d)
keep("linear_mediated", coef(med)["a"] * coef(lin)["m"])
keep("linear_direct", coef(lin)["a"])
keep("linear_total", coef(lm(y ~ a + age, d))["a"])
e1 <- resid(med); e2 <- resid(lm(y ~ a + age, d))
keep("rho_at_zero", cor(e1, e2))
logit <- glm(case ~ a + m + age, binomial, d, control = glm.control(epsilon = 1e-14))
b <- coef(logit)
s <- summary(med)$sigma
risk <- function(own, other) mean(sapply(seq_len(nrow(d)), function(i) {
  mu <- sum(coef(med) * c(1, other, d$age[i]))
  f <- function(e) plogis(b["(Intercept)"] + b["a"] * own + b["age"] * d$age[i] + b["m"] * (mu + e)) * dnorm(e, 0, s)
  integrate(f, -12 * s, 12 * s, rel.tol = 1e-11)$value
}))
p <- matrix(c(risk(0, 0), risk(1, 0), risk(0, 1), risk(1, 1)), 2)
keep("logistic_mediated", mean(p[, 2] - p[, 1]))
keep("logistic_direct", mean(p[2, ] - p[1, ]))
keep("logistic_total", p[2, 2] - p[1, 1])
keep("logistic_ratio", p[2, 2] / p[2, 1])
fit <- aalen(Surv(time, event) ~ const(a) + const(m) + const(age), d, robust = 0)
keep("survival_mediated", coef(med)["a"] * fit$gamma[2])
keep("survival_direct", fit$gamma[1])
write.csv(do.call(rbind, out), file.path(folder, "mediation_answers.csv"), row.names = FALSE, quote = FALSE)
