using Fewbit.Graphs;
using Fewbit.Testing;

namespace Fewbit.Runtime.Tests.Quantized;

public class ProductGroupTests
{
    [RuntimeFact]
    public void Gemm_AnyOptions_GivesTheCodesOfOnnxRuntime()
    {
        for (int seed = 0; seed < 32; seed++)
        {
            var builder = new QdqBuilder(seed);
            long m = builder.Next(1, 9), k = builder.Next(1, 70), n = builder.Next(1, 40);
            bool transposes = (seed & 1) == 0, perChannel = (seed & 2) == 0, hasBias = (seed & 4) == 0, isQuantized = (seed & 8) == 0;
            Value x = builder.Requantize(builder.Input(m, k)), w = builder.Weight(transposes ? [n, k] : [k, n], perChannel ? transposes ? 0 : 1 : null);
            var attributes = new Attributes { { "transB", transposes ? 1L : 0L } };
            Value y = x.Apply("Gemm", attributes, hasBias ? [w, builder.Bias(x, w, n)] : [w]);
            builder.Output(isQuantized ? builder.Requantize(y) : y);
            RuntimeComparison.Of(builder.Graph, builder.Feeds()).ExpectEqual();
        }
    }

    [RuntimeFact]
    public void MatMul_WeightOrTwoActivations_GivesTheCodesOfOnnxRuntime()
    {
        for (int seed = 0; seed < 32; seed++)
        {
            var builder = new QdqBuilder(seed);
            long m = builder.Next(1, 9), k = builder.Next(1, 70), n = builder.Next(1, 40);
            bool isWeight = (seed & 1) == 0, perChannel = (seed & 2) == 0, isQuantized = (seed & 8) == 0;
            Value x = builder.Requantize(builder.Input(2, 3, m, k));
            Value w = isWeight ? builder.Weight([k, n], perChannel ? 1 : null) : builder.Requantize((seed & 4) == 0 ? builder.Input(3, k, n) : builder.Input(2, 3, k, n));
            Value y = x.Apply("MatMul", w);
            builder.Output(isQuantized ? builder.Requantize(y, isWeight ? null : 0.2f) : y);
            RuntimeComparison.Of(builder.Graph, builder.Feeds()).ExpectEqual();
        }
    }
}
