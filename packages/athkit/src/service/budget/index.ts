export { type Budget, type BudgetLimit, type BudgetOptions, budget } from './budget.ts'
export type { Period } from './periods.ts'
export { createSpending, type Spending } from './spending.ts'
