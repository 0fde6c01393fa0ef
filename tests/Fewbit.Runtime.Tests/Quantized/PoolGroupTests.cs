using Fewbit.Graphs;
using Fewbit.Tensors;
using Fewbit.Testing;

namespace Fewbit.Runtime.Tests.Quantized;

public class PoolGroupTests
{
    [RuntimeFact]
    public void GlobalAveragePool_AnySize_GivesTheCodesOfOnnxRuntime()
    {
        for (int seed = 0; seed < 40; seed++)
        {
            var builder = new QdqBuilder(seed) { Activations = seed % 2 == 0 ? ElementType.Int8 : ElementType.UInt8 };
            Value x = builder.Requantize(builder.Input(builder.Next(1, 3), builder.Next(1, 40), builder.Next(1, 12), builder.Next(1, 12)));
            builder.Output(builder.Requantize(x.Apply("GlobalAveragePool"), builder.Uniform(0.003f, 0.02f)));
            RuntimeComparison.Of(builder.Graph, builder.Feeds()).ExpectEqual();
        }
    }

    [RuntimeFact]
    public void AveragePool_AnyWindow_GivesTheCodesOfOnnxRuntime()
    {
        for (int seed = 0; seed < 60; seed++)
        {
            var builder = new QdqBuilder(seed) { Activations = seed % 2 == 0 ? ElementType.Int8 : ElementType.UInt8 };
            Value x = builder.Requantize(builder.Input(2, builder.Next(1, 20), builder.Next(6, 14), builder.Next(6, 14)));
            long kernel = builder.Next(1, 4), stride = builder.Next(1, 3), pad = builder.Next(0, (int)kernel - 1);
            var attributes = new Attributes
            {
                { "kernel_shape", new[] { kernel, kernel } }, { "strides", new[] { stride, stride } }, { "pads", new[] { pad, pad, pad, pad } },
                { "ceil_mode", (long)(seed % 3 == 0 ? 1 : 0) }, { "count_include_pad", (long)(seed % 5 == 0 ? 1 : 0) },
            };
            builder.Output(builder.Requantize(x.Apply("AveragePool", attributes), builder.Uniform(0.003f, 0.03f)));
            RuntimeComparison.Of(builder.Graph, builder.Feeds()).ExpectEqual();
        }
    }
}
