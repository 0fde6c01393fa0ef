using Fewbit.Graphs;
using Fewbit.Testing;

namespace Fewbit.Runtime.Tests.Quantized;

public class ConvGroupTests
{
    [RuntimeTheory]
    [InlineData(1, 3, 8, 9, 3, 1, 1, 1, 1)]
    [InlineData(2, 16, 33, 7, 1, 1, 0, 1, 1)]
    [InlineData(1, 16, 16, 12, 3, 2, 1, 1, 16)]
    [InlineData(1, 8, 12, 11, 3, 1, 2, 2, 4)]
    [InlineData(1, 5, 17, 13, 5, 2, 2, 1, 1)]
    [InlineData(3, 64, 64, 4, 3, 1, 1, 1, 1)]
    public void Conv_AnyGeometry_GivesTheCodesOfOnnxRuntime(int batch, int inChannels, int outChannels, int side, int kernel, int stride, int pad, int dilation, int groups)
    {
        for (int variant = 0; variant < 8; variant++)
        {
            var builder = new QdqBuilder(variant * 100 + side);
            Value x = builder.Requantize(builder.Input(batch, inChannels, side, side));
            Value w = builder.Weight([outChannels, inChannels / groups, kernel, kernel], (variant & 1) == 0 ? 0 : null);
            var attributes = new Attributes { { "strides", new long[] { stride, stride } }, { "pads", new long[] { pad, pad, pad, pad } }, { "dilations", new long[] { dilation, dilation } }, { "group", (long)groups } };
            Value y = x.Apply("Conv", attributes, (variant & 2) == 0 ? [w] : [w, builder.Bias(x, w, outChannels)]);
            Value? last = null;
            if ((variant & 4) != 0) last = builder.Requantize(y.Apply("Relu"), 0.03f, 0);
            builder.Output(last ?? builder.Requantize(y));
            RuntimeComparison.Of(builder.Graph, builder.Feeds()).ExpectEqual();
        }
    }

    [RuntimeFact]
    public void AddAfterTwoConvs_GivesTheCodesOfOnnxRuntime()
    {
        for (int seed = 0; seed < 20; seed++)
        {
            var builder = new QdqBuilder(seed);
            Value x = builder.Requantize(builder.Input(2, 8, 6, 7));
            Value a = builder.Requantize(x.Apply("Conv", builder.Weight([16, 8, 1, 1], 0))), b = builder.Requantize(x.Apply("Conv", builder.Weight([16, 8, 1, 1], 0)));
            builder.Output(builder.Requantize(a + b));
            RuntimeComparison.Of(builder.Graph, builder.Feeds()).ExpectEqual();
        }
    }
}
