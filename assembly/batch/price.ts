// Prices and Greeks over columns: hands a request to its model's batch. Never throws; rows of a model it does not know are
// unsupported. Separate from the batches so that a new model is one case here.
import { countOffset, modelOffset, outputMaskOffset, statusOffset } from "../abi/layout";
import {
  modelAmerican,
  modelAsian,
  modelBachelier,
  modelBaroneAdesiWhaley,
  modelBjerksundStensland1993,
  modelBjerksundStensland2002,
  modelBarrier,
  modelBinomial,
  modelBlack76,
  modelBlackScholesMerton,
  modelDigital,
  modelDisplacedBlack,
  modelFiniteDifference,
  modelGarmanKohlhagen,
  modelJuZhong,
  modelLookback,
  modelHeston,
  modelMertonJump,
  modelMonteCarlo,
  modelSabr,
} from "../abi/model";
import { statusUnsupportedOutput } from "../abi/status";
import { americanBatch } from "./american";
import { approximationBatch } from "./approximation";
import { bachelierBatch } from "./bachelier";
import { binomialBatch } from "./binomial";
import { blackBatch, displacedBlackBatch, forwardBlackBatch } from "./black";
import { writeNullRow } from "./columns";
import { exoticBatch } from "./exotic";
import { finiteDifferenceBatch } from "./finite-difference";
import { hestonBatch } from "./heston";
import { mertonBatch } from "./merton-jump";
import { monteCarloBatch } from "./monte-carlo";
import { sabrBatch } from "./sabr";

/** Prices every row of the request; returns how many have a status other than ok. */
export function priceBatch(request: usize): i32 {
  switch (load<i32>(request, modelOffset)) {
    case modelBlackScholesMerton:
    case modelGarmanKohlhagen: // the foreign rate comes in the dividend yield's place
      return blackBatch(request);
    case modelBlack76:
      return forwardBlackBatch(request);
    case modelBachelier:
      return bachelierBatch(request);
    case modelDisplacedBlack:
      return displacedBlackBatch(request);
    case modelAmerican:
      return americanBatch(request);
    case modelBaroneAdesiWhaley:
    case modelBjerksundStensland1993:
    case modelBjerksundStensland2002:
    case modelJuZhong:
      return approximationBatch(request);
    case modelBinomial:
      return binomialBatch(request);
    case modelDigital:
    case modelBarrier:
    case modelLookback:
    case modelAsian:
      return exoticBatch(request);
    case modelFiniteDifference:
      return finiteDifferenceBatch(request);
    case modelHeston:
      return hestonBatch(request);
    case modelMertonJump:
      return mertonBatch(request);
    case modelMonteCarlo:
      return monteCarloBatch(request);
    case modelSabr:
      return sabrBatch(request);
    default:
      return unsupportedBatch(request);
  }
}

function unsupportedBatch(request: usize): i32 {
  const count = load<i32>(request, countOffset);
  const mask = load<u32>(request, outputMaskOffset);
  const statuses = <usize>load<u32>(request, statusOffset);
  for (let row: usize = 0; row < <usize>count; row++) {
    writeNullRow(request, mask, row);
    store<i32>(statuses + (row << 2), statusUnsupportedOutput);
  }
  return count;
}
