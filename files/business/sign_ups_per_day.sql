-- Copyright: crowsnest contributors
-- SPDX-License-Identifier: Apache-2.0
SELECT CAST(shop_customer.signed_up_at AS date) AS day, COUNT(*) AS sign_ups
FROM public.shop_customer
WHERE true
  [[AND {{period}}]]
  [[AND {{region}}]]
GROUP BY 1
ORDER BY 1
